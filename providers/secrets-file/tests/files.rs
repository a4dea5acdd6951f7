//! Secrets in real folders, laid out as orchestrators do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use wattle_capability::secrets::{Revealed, SECRET_BYTES_MAX};
use wattle_capability::{CallContext, SecretError, Secrets};
use wattle_secrets_file::{ActorSecrets, PlaceError, SecretFiles};
use wattle_types::spec::SecretRef;

fn secret(name: &str, key: &str, field: Option<&str>) -> SecretRef {
    let field = field.map(str::to_owned);
    SecretRef { name: name.to_owned(), key: key.to_owned(), field, version: None }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// What an actor sees whose spec names these.
fn secrets(dir: &Path, named: &[SecretRef]) -> ActorSecrets {
    SecretFiles::open(dir).unwrap().for_actor(named).unwrap()
}

async fn told(secrets: &ActorSecrets, name: &str) -> Result<Vec<u8>, SecretError> {
    let call = CallContext::outside("a".parse().unwrap(), Instant::now() + Duration::from_secs(20));
    secrets.get(&call, name).await.map(|secret| match secret.reveal() {
        Revealed::Text(text) => format!("text {text}").into_bytes(),
        Revealed::Bytes(bytes) => [b"bytes ", bytes].concat(),
    })
}

#[tokio::test]
async fn a_secret_is_a_file_or_a_field_of_a_folder_under_the_name_the_spec_gives_it() {
    let dir = folder();
    fs::write(dir.path().join("token"), "s3cret\n").unwrap();
    fs::create_dir(dir.path().join("db")).unwrap();
    fs::write(dir.path().join("db/password"), [0xff, 0]).unwrap();
    fs::write(dir.path().join("empty"), "").unwrap();
    let named = [
        secret("api", "token", None),
        secret("db", "db", Some("password")),
        secret("nothing", "empty", None),
        secret("absent", "absent", None),
        secret("folder", "db", None),
        secret("deeper", "token", Some("x")),
    ];
    let secrets = secrets(dir.path(), &named);
    assert_eq!(told(&secrets, "api").await.unwrap(), b"text s3cret\n", "as it is in the file");
    assert_eq!(told(&secrets, "db").await.unwrap(), b"bytes \xff\0");
    assert_eq!(told(&secrets, "nothing").await.unwrap(), b"text ");
    for name in ["absent", "folder", "deeper", "token", ""] {
        assert_eq!(told(&secrets, name).await, Err(SecretError::NotFound), "{name:?}");
    }
    let missing = secrets.missing().await;
    let missing: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(missing, ["absent", "deeper", "folder"]);
}

#[tokio::test]
async fn a_secret_that_changes_is_seen_by_who_asks_next() {
    // As Kubernetes mounts them: the file is a link into a folder that is replaced as a whole.
    let dir = folder();
    for (version, value) in [("..v1", "old"), ("..v2", "new")] {
        fs::create_dir(dir.path().join(version)).unwrap();
        fs::write(dir.path().join(version).join("token"), value).unwrap();
    }
    symlink("..v1", dir.path().join("..data")).unwrap();
    symlink("..data/token", dir.path().join("token")).unwrap();
    let secrets = secrets(dir.path(), &[secret("api", "token", None)]);
    assert_eq!(told(&secrets, "api").await.unwrap(), b"text old");
    symlink("..v2", dir.path().join("..next")).unwrap();
    fs::rename(dir.path().join("..next"), dir.path().join("..data")).unwrap();
    assert_eq!(told(&secrets, "api").await.unwrap(), b"text new");
}

#[tokio::test]
async fn nothing_outside_the_folder_is_a_secret() {
    let outside = folder();
    fs::write(outside.path().join("key"), "private").unwrap();
    let dir = folder();
    symlink(outside.path().join("key"), dir.path().join("file")).unwrap();
    symlink(outside.path(), dir.path().join("folder")).unwrap();
    symlink("loop", dir.path().join("loop")).unwrap();
    let named = [
        secret("file", "file", None),
        secret("folder", "folder", Some("key")),
        secret("loop", "loop", None),
    ];
    let secrets = secrets(dir.path(), &named);
    for name in ["file", "folder", "loop"] {
        assert_eq!(told(&secrets, name).await, Err(SecretError::Unreadable), "{name}");
    }
    let files = SecretFiles::open(dir.path()).unwrap();
    let long = "k".repeat(254);
    let tricks = [
        "",
        ".",
        "..",
        "../key",
        "a/../../key",
        "/etc/passwd",
        "a//b",
        "a/",
        "..data",
        ".hidden",
        "a\0b",
        "a\\b",
        "ä",
        "a b",
        "~",
        &long,
    ];
    for trick in tricks {
        for named in [secret("x", trick, None), secret("x", "key", Some(trick))] {
            let refused = files.for_actor(&[named]).err();
            assert!(matches!(refused, Some(PlaceError::Name { .. })), "{trick:?}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn what_is_too_large_or_no_file_is_not_read() {
    let dir = folder();
    fs::write(dir.path().join("most"), vec![b'x'; SECRET_BYTES_MAX]).unwrap();
    fs::write(dir.path().join("more"), vec![b'x'; SECRET_BYTES_MAX + 1]).unwrap();
    // A pipe that nobody writes to: reading it would wait for ever.
    let made = Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap();
    assert!(made.success());
    let named = ["most", "more", "pipe"].map(|key| secret(key, key, None));
    let secrets = secrets(dir.path(), &named);
    let most = told(&secrets, "most").await.unwrap();
    assert_eq!(most.len(), "text ".len() + SECRET_BYTES_MAX);
    let too_large = SecretError::TooLarge { max: SECRET_BYTES_MAX };
    assert_eq!(told(&secrets, "more").await, Err(too_large));
    assert_eq!(told(&secrets, "pipe").await, Err(SecretError::NotFound));
}

#[test]
fn what_files_cannot_do_is_refused_with_the_name_of_the_secret() {
    let dir = folder();
    let files = SecretFiles::open(dir.path()).unwrap();
    let versioned = SecretRef { version: Some("7".to_owned()), ..secret("api", "token", None) };
    let refused = files.for_actor(&[versioned]).unwrap_err().to_string();
    assert!(refused.contains("\"api\"") && refused.contains("\"7\""), "{refused}");
    let twice = [secret("api", "a", None), secret("api", "b", None)];
    let refused = files.for_actor(&twice).unwrap_err();
    assert_eq!(refused, PlaceError::Twice { name: "api".to_owned() });
    assert!(SecretFiles::open(&dir.path().join("absent")).is_err());
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(SecretFiles::open(&dir.path().join("file")).is_err());
}
