use std::error::Error as _;

use wattle_types::LatticeId;
use wattle_types::nkey::{PublicKey, Role};

use super::*;
use crate::TrustPolicy;
use crate::tests::fixture::{issuer, issuer_key, key, module_key};

fn controller_key() -> ControllerKey {
    key(Role::Cluster, 1).public().try_into().unwrap()
}

fn lattice(name: &str) -> LatticeId {
    name.parse().unwrap()
}

/// Every key that a trust file can have.
fn full() -> String {
    format!(
        r#"
        version = 1
        serial = 7

        [tokens]
        expiry_required = true
        lifetime_days_max = 90

        [[issuers]]
        key = "{issuer}"
        name = "build farm"
        valid_from = 2026-01-01T00:00:00Z
        valid_until = 2027-01-01T00:00:00+01:00
        modules = ["{module}"]

        [[issuers]]
        key = "{other}"
        name = "laptop"

        [[controllers]]
        key = "{controller}"
        name = "control"
        lattices = ["prod", "test"]

        [[compilers]]
        key = "{compiler}"
        name = "compile farm"
        valid_until = 2027-06-01T00:00:00Z

        [revoked]
        keys = ["{revoked}"]
        digests = ["sha256:{digest}"]

        [minimum_revisions]
        {module} = 3
        "#,
        issuer = issuer_key(),
        module = module_key(),
        other = key(Role::Account, 5).public(),
        controller = controller_key(),
        compiler = key(Role::Account, 7).public(),
        revoked = key(Role::Account, 6).public(),
        digest = "ab".repeat(32),
    )
}

#[test]
fn a_trust_file_survives_being_written() {
    let local = TrustFile::new()
        .with_issuer(&issuer_key(), "local")
        .with_controller(&controller_key(), "local")
        .with_compiler(&key(Role::Account, 7).public().try_into().unwrap(), "local");
    for file in [TrustFile::new(), local, TrustFile::parse(&full()).unwrap()] {
        let text = file.to_toml();
        assert_eq!(TrustFile::parse(&text).unwrap(), file, "{text}");
        TrustPolicy::try_from(&file).unwrap();
    }
}

#[test]
fn the_file_of_one_machine_is_short() {
    let file = TrustFile::new().with_issuer(&issuer_key(), "local");
    let text = format!(
        "# Whom this host believes. Nothing runs that nobody here has signed.\n\n\
         version = 1\nserial = 1\n\n[[issuers]]\nkey = \"{}\"\nname = \"local\"\n",
        issuer_key()
    );
    assert_eq!(file.to_toml(), text);
}

#[test]
fn a_controller_decides_for_its_lattices_until_it_is_revoked() {
    let other: ControllerKey = key(Role::Cluster, 2).public().try_into().unwrap();
    let mut file = TrustFile::parse(&full()).unwrap().with_controller(&other, "everywhere");
    let keys = |file: &TrustFile, name| {
        let policy = TrustPolicy::try_from(file).unwrap();
        policy.controllers(&lattice(name)).into_iter().collect::<Vec<_>>()
    };
    let (first, second) = (*controller_key().public(), *other.public());
    let mut both = vec![first, second];
    both.sort();
    assert_eq!(keys(&file, "prod"), both);
    assert_eq!(keys(&file, "default"), [second]);
    file.revoked.keys.push(second.to_string());
    assert_eq!(keys(&file, "prod"), [first]);
    assert_eq!(keys(&file, "default"), Vec::<PublicKey>::new());
    assert_eq!(keys(&TrustFile::new(), "prod"), Vec::<PublicKey>::new());
}

#[test]
fn the_serial_is_the_policys() {
    assert_eq!(full().parse::<TrustPolicy>().unwrap().serial(), 7);
}

/// The message and its causes on one line.
fn message(text: &str) -> String {
    let error = text.parse::<TrustPolicy>().unwrap_err();
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

#[test]
fn a_wrong_value_names_the_key_the_value_and_what_would_be_right() {
    let account = issuer_key().to_string();
    let module = module_key().to_string();
    let weak = {
        let mut one = [0; 32];
        one[0] = 1;
        PublicKey::new(Role::Account, one).to_string()
    };
    let replace = |from: &str, to: &str| {
        let text = full();
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let cases: [(String, &[&str]); 22] = [
        (replace(&account, "A123"), &["issuers[0].key", "A123", "account key", "56 characters"]),
        (replace(&account, &module), &["issuers[0].key", &module, "account", "module"]),
        (replace(&account, &weak), &["issuers[0].key", "sign nothing", "small order"]),
        (
            replace(&key(Role::Account, 5).public().to_string(), &account),
            &["issuers[1].key", &account, "once"],
        ),
        (
            replace(&format!("[\"{module}\"]"), "[\"web\"]"),
            &["issuers[0].modules[0]", "web", "module key"],
        ),
        (replace("\"build farm\"", "\" \""), &["issuers[0].name", "\" \"", "a name"]),
        (
            replace("2027-01-01T00:00:00+01:00", "2026-01-01T00:00:00Z"),
            &["issuers[0].valid_until", "2026-01-01T00:00:00Z", "after valid_from"],
        ),
        (
            replace("2026-01-01T00:00:00Z", "2026-01-01"),
            &["issuers[0].valid_from", "2026-01-01", "2031-01-01T00:00:00Z"],
        ),
        (
            replace("2026-01-01T00:00:00Z", "1969-01-01T00:00:00Z"),
            &["issuers[0].valid_from", "1969", "since 1970"],
        ),
        (replace("2026-01-01T00:00:00Z", "\"tomorrow\""), &["valid_from", "tomorrow", "datetime"]),
        (
            replace(&controller_key().to_string(), &account),
            &["controllers[0].key", &account, "controller"],
        ),
        (replace("\"test\"]", "\"a.b\"]"), &["controllers[0].lattices[1]", "a.b", "letters"]),
        (
            replace(&key(Role::Account, 7).public().to_string(), &module),
            &["compilers[0].key", &module, "account"],
        ),
        (replace("\"compile farm\"", "\"\""), &["compilers[0].name", "a name"]),
        (
            replace(&key(Role::Account, 6).public().to_string(), "nobody"),
            &["revoked.keys[0]", "nobody", "public key"],
        ),
        (replace("sha256:ab", "md5:ab"), &["revoked.digests[0]", "md5:ab", "sha256:"]),
        (replace(&format!("{module} = 3"), "web = 3"), &["minimum_revisions", "web", "module key"]),
        (replace("= 3\n", "= 2147483648\n"), &["minimum_revisions", "2147483648", "2147483647"]),
        (
            replace("lifetime_days_max = 90", "lifetime_days_max = 0"),
            &["lifetime_days_max", "0", "from 1"],
        ),
        (replace("serial = 7", "serial = -7"), &["serial = -7", "u64", "3"]),
        (replace("version = 1", "version = 2"), &["version = 2", "version 1"]),
        (replace("version = 1\n", ""), &["missing field", "version"]),
    ];
    for (text, parts) in cases {
        let message = message(&text);
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
}

#[test]
fn an_unknown_key_is_an_error_that_says_where() {
    for (from, to, line) in [
        ("serial = 7", "serial = 7\nisuers = []", "line 4"),
        ("name = \"build farm\"", "nam = \"x\"", "line 11"),
        ("[revoked]", "[revoked]\ndigest = \"\"", "line 31"),
        ("[tokens]", "[tokens]\nexpiry = true", "line 6"),
    ] {
        let message = message(&full().replacen(from, to, 1));
        assert!(message.contains("unknown field"), "{message}");
        assert!(message.contains(line), "{line}: {message}");
    }
}

#[test]
fn a_seed_in_a_trust_file_is_named_and_not_shown() {
    let seed = issuer().seed();
    let message = message(&full().replacen(&issuer_key().to_string(), seed.expose(), 1));
    assert!(message.contains("issuers[0].key") && message.contains("secret"), "{message}");
    assert!(!message.contains(&seed.expose()[2..10]), "{message}");
}

#[test]
fn text_that_is_no_toml_says_where() {
    let message = message("version = 1\n[[issuers]\n");
    assert!(message.contains("line 2"), "{message}");
}
