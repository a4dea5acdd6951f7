//! The table of targets. A new decoder gets a row here and a folder in `corpus`.

use bytes::Bytes;
use wattle_lattice::call::frame::Frame;
use wattle_lattice::call::{CallReply, CallRequest, Limits};
use wattle_lattice::event::CloudEvent;
use wattle_lattice::{Names, ctl, signal};
use wattle_types::{
    ActorSpec, AppHead, Application, Assignment, Beat, ConfigRecord, HttpRoute, IdRecord,
    InterfaceName, Inventory, Key, LatticeId, Lease, LimitsReport, LimitsRequest, LinkRecord,
    ServeDelta, Span, SpecHash, Unit, stored,
};
use wattle_value::packed::{Reader, Writer};
use wattle_value::{FuncType, Type, Value};

use crate::Target;

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

pub(crate) const ALL: &[Target] = &[
    // What comes over NATS.
    target("call-request", call_request),
    target("call-reply", call_reply),
    target("frame", frame),
    target("subject", subject),
    target("serve", stored::<ServeDelta>),
    target("beat", stored::<Beat>),
    target("inventory", stored::<Inventory>),
    target("limits", stored::<LimitsReport>),
    target("limits-question", stored::<LimitsRequest>),
    target("wake", wake),
    target("event", event),
    target("control", control),
    target("signed", signed),
    // What is stored.
    target("assignment", assignment),
    target("spec", spec),
    target("id", stored::<IdRecord>),
    target("app", stored::<AppHead>),
    target("lease", stored::<Lease>),
    target("link", stored::<LinkRecord>),
    target("config", stored::<ConfigRecord>),
    target("key", key),
    // What a person writes.
    target("manifest", manifest),
    target("route", route),
    target("quantity", quantity),
    target("interface", interface),
    target("trust-file", trust_file),
    target("wave", wave),
    // What a guest or a component brings.
    target("component", component),
    target("values", values),
    target("artifact", artifact),
];

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn call_request(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(request) = CallRequest::decode(&Bytes::copy_from_slice(bytes), &limits) else { return };
    // What was read within the limits can be written within them, unless it is at their edge.
    if let Ok(again) = request.clone().encode(&limits) {
        assert_eq!(CallRequest::decode(&again, &limits).ok(), Some(request));
    }
}

fn call_reply(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(reply) = CallReply::decode(&Bytes::copy_from_slice(bytes), &limits) else { return };
    if let Ok(again) = reply.clone().encode(&limits) {
        assert_eq!(CallReply::decode(&again, &limits).ok(), Some(reply));
    }
}

fn subject(bytes: &[u8]) {
    let Some(raw) = text(bytes) else { return };
    let lattice: LatticeId = "default".parse().expect("letters make a name");
    let names = Names::new(lattice);
    if let Ok(subject) = names.read(raw) {
        assert_eq!(names.subject(&subject), raw, "a subject has one spelling");
    }
}

fn stored<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = stored::decode::<T>("a value", bytes) else { return };
    let again = stored::encode(&value);
    let value = stored::decode::<T>("a value", &again).expect("what was written can be read");
    assert_eq!(stored::encode(&value), again, "one value has one spelling");
}

fn wake(bytes: &[u8]) {
    let _ = signal::Wake::decode(bytes);
}

fn event(bytes: &[u8]) {
    let _ = CloudEvent::<serde_json::Value>::decode(bytes);
}

fn control(bytes: &[u8]) {
    let _ = ctl::decode_command::<ctl::HostSummary>(bytes);
    let _ = ctl::decode_command::<ctl::HostInventory>(bytes);
    let _ = ctl::decode_command::<ctl::Link>(bytes);
    let _ = ctl::decode_command::<ctl::LinkKey>(bytes);
}

fn signed(bytes: &[u8]) {
    let Ok(sealed) = wattle_trust::signed::open(bytes) else { return };
    let nobody = Default::default();
    let context = wattle_trust::signed::Context::Assignment;
    assert!(sealed.verify(context, &nobody).is_err(), "nobody is allowed to sign");
}

fn assignment(bytes: &[u8]) {
    if let Ok(assignment) = Assignment::decode(bytes) {
        assert!(Assignment::decode(&assignment.encode()).is_ok());
    }
}

fn spec(bytes: &[u8]) {
    let _ = ActorSpec::decode(ActorSpec::hash_of(bytes), bytes);
    let other = SpecHash(wattle_types::Digest::from_bytes([0; 32]));
    assert!(ActorSpec::decode(other, bytes).is_err(), "a spec is known by its hash");
}

fn key(bytes: &[u8]) {
    let Some(raw) = text(bytes) else { return };
    if let Ok(key) = raw.parse::<Key>() {
        assert_eq!(key.to_string(), raw, "a key has one spelling");
    }
}

fn manifest(bytes: &[u8]) {
    if let Some(raw) = text(bytes) {
        let _ = Application::read(raw);
    }
}

fn quantity(bytes: &[u8]) {
    let Some(raw) = text(bytes) else { return };
    for unit in [Unit::Bytes, Unit::Time, Unit::Count] {
        if let Ok(value) = unit.parse(raw) {
            assert_eq!(unit.parse(&unit.show(value).to_string()), Ok(value));
        }
    }
    if let Ok(span) = raw.parse::<Span>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
}

fn route(bytes: &[u8]) {
    if let Ok(route) = serde_json::from_slice::<HttpRoute>(bytes) {
        let _ = route.normalised();
    }
}

fn interface(bytes: &[u8]) {
    let Some(raw) = text(bytes) else { return };
    if let Ok(name) = raw.parse::<InterfaceName>() {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
}

fn trust_file(bytes: &[u8]) {
    if let Some(raw) = text(bytes) {
        let _ = wattle_trust::TrustFile::parse(raw);
    }
}

fn component(bytes: &[u8]) {
    let _ = wattle_trust::claims::inspect(bytes);
    let trust = wattle_trust::TrustPolicy::try_from(&wattle_trust::TrustFile::new());
    let trust = trust.expect("an empty trust file is a policy that trusts nobody");
    let verified = wattle_trust::verify(Bytes::copy_from_slice(bytes), &trust, 1_800_000_000);
    assert!(verified.is_err(), "nobody is trusted");
}

/// A file of signed code, read by a host that wants just what the corpus has: what it accepts is what
/// the compiler of the corpus signed, to the byte.
fn artifact(bytes: &[u8]) {
    use wattle_trust::artifact::{Head, verify_artifact};

    const COMPILER: &str = "ADVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCZW22";
    const ENGINE: &str = "48.0.8/p2-server/2/x86_64-unknown-linux-gnu/x86-64-v2";
    const NOW_S: u64 = 1_795_000_000;
    static SIGNED: &[u8] = include_bytes!("../corpus/artifact/signed");

    let engines = [ENGINE.to_owned()].into();
    let source = wattle_types::Digest::of(b"a component");
    let wanted = wattle_trust::Wanted { source, engines: &engines };
    let compiler = COMPILER.parse().expect("a key");
    let trust = wattle_trust::TrustFile::new().with_compiler(&compiler, "the corpus");
    let trust = wattle_trust::TrustPolicy::try_from(&trust).expect("a key makes a policy");
    let accepted = verify_artifact(bytes, wanted, &trust, NOW_S).is_ok();
    assert_eq!(accepted, bytes == SIGNED, "one file is signed");
    if let Ok(head) = Head::read_from(&mut &bytes[..]) {
        assert!(bytes.starts_with(head.bytes()));
        let nobody = wattle_trust::TrustPolicy::default();
        assert!(head.verify(wanted, &nobody, NOW_S).is_err(), "nobody is believed");
    }
}

/// Signatures that between them hold every kind of value.
fn signatures() -> [FuncType; 4] {
    let field = |name: &str, ty| wattle_value::Field { name: name.to_owned(), ty };
    let case = |name: &str, ty| wattle_value::Case { name: name.to_owned(), ty };
    let of = |params, result| FuncType { params, result, is_async: false };
    let words = || vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let boxed = |ty| Some(Box::new(ty));
    let record = Type::Record(vec![
        field("text", Type::String),
        field("numbers", Type::List(Box::new(Type::U16))),
        field("texts", Type::List(Box::new(Type::String))),
    ]);
    let variant = Type::Variant(vec![case("none", None), case("one", Some(record.clone()))]);
    [
        of(vec![field("bytes", Type::List(Box::new(Type::U8)))], Some(Type::String)),
        of(vec![field("it", variant)], Some(Type::Option(Box::new(Type::F64)))),
        of(
            vec![
                field("truth", Type::Bool),
                field("small", Type::S8),
                field("large", Type::U64),
                field("letter", Type::Char),
                field("kind", Type::Enum(words())),
                field("may", Type::Flags(words())),
            ],
            Some(Type::Result { ok: boxed(record), err: boxed(Type::String) }),
        ),
        of(
            vec![
                field("perhaps", Type::Option(Box::new(Type::Option(Box::new(Type::F32))))),
                field("pair", Type::Tuple(vec![Type::S64, Type::List(Box::new(Type::Bool))])),
                field("body", Type::InputStream),
            ],
            None,
        ),
    ]
}

/// The first byte chooses a signature.
fn values(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let signatures = signatures();
    let func = &signatures[usize::from(*choice) % signatures.len()];
    let streams = func.params.iter().filter(|param| param.ty.has_stream()).count();
    let limits = wattle_value::Limits::default();
    if wattle_value::check_args(func, bytes, streams, &limits).is_err() {
        return;
    }
    let mut reader = Reader::new(bytes);
    assert_eq!(reader.array().ok(), Some(func.params.len()));
    let mut writer = Writer::new();
    writer.array(func.params.len());
    for param in &func.params {
        let value = Value::unpack(&param.ty, &mut reader).expect("what was checked can be read");
        value.pack(&param.ty, &mut writer).expect("what was read can be written");
    }
    let again = writer.into_bytes();
    assert!(wattle_value::check_args(func, &again, streams, &limits).is_ok());
}

fn wave(bytes: &[u8]) {
    let Some(raw) = text(bytes) else { return };
    for func in signatures() {
        if let Ok(args) = wattle_value::wave::args(&func, raw) {
            let checked =
                wattle_value::check_args(&func, &args, 0, &wattle_value::Limits::default());
            assert!(checked.is_ok(), "what is packed can be unpacked: {checked:?}");
        }
    }
}

fn frame(bytes: &[u8]) {
    if let Ok(frame) = Frame::decode(&Bytes::copy_from_slice(bytes)) {
        assert_eq!(Frame::decode(&frame.encode()).ok(), Some(frame));
    }
}
