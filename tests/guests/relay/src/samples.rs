//! Values that are easily damaged on the way, of every type; each must come back as it was.

use crate::wattle_test::echo::values::{self, Colour, Everything, Point, Rights, Shape};

/// Says how many came back, or which did not.
pub(crate) fn check() -> Result<String, String> {
    let mut checked = 0;
    let mut check = |name: &str, same: bool| {
        checked += 1;
        if same { Ok(()) } else { Err(format!("{name} came back changed")) }
    };
    /// `all!(function: a, b, …)`: each value comes back equal.
    macro_rules! all {
        ($name:ident: $($value:expr),+) => {
            $(check(stringify!($name), values::$name($value) == $value)?;)+
        };
    }
    all!(truth: true, false);
    all!(unsigned8: 0, u8::MAX);
    all!(unsigned16: 0, u16::MAX);
    all!(unsigned32: 0, u32::MAX);
    all!(unsigned64: 0, u64::MAX);
    all!(signed8: i8::MIN, -1, i8::MAX);
    all!(signed16: i16::MIN, -1, i16::MAX);
    all!(signed32: i32::MIN, -1, i32::MAX);
    all!(signed64: i64::MIN, -1, i64::MAX);
    all!(letter: '\0', 'ä', '\u{d7ff}', '\u{e000}', char::MAX);
    all!(text: "", "Grüße, 世界 🦀", "\0");
    all!(numbers16: &[], &[1, u16::MAX]);
    all!(numbers32: &[i32::MIN, -1, i32::MAX]);
    all!(numbers64: &[1, u64::MAX]);
    all!(truths: &[true, false, true]);
    check("texts", values::texts(&[]).is_empty())?;
    all!(texts: &["a".to_owned(), String::new(), "ö".to_owned()]);
    all!(perhaps: None, Some(None), Some(Some(9)));
    check("pair", values::pair((7, "seven")) == (7, "seven".to_owned()))?;
    check("outcome", values::outcome(Ok("fine")) == Ok("fine".to_owned()))?;
    check("outcome", values::outcome(Err(404)) == Err(404))?;
    all!(verdict: Ok(()), Err(()));
    all!(tint: Colour::Red, Colour::Blue);
    all!(may: Rights::empty(), Rights::READ | Rights::RUN, Rights::all());

    // By their bits: a NaN is equal to nothing.
    for bits in [0, f32::INFINITY.to_bits(), (-0.0_f32).to_bits(), f32::NAN.to_bits()] {
        check("single", values::single(f32::from_bits(bits)).to_bits() == bits)?;
    }
    for bits in [0, f64::NEG_INFINITY.to_bits(), f64::MIN_POSITIVE.to_bits(), f64::NAN.to_bits()] {
        check("double", values::double(f64::from_bits(bits)).to_bits() == bits)?;
    }
    all!(singles: &[1.5, -0.0, f32::MAX]);
    all!(doubles: &[1.5, f64::EPSILON, f64::INFINITY]);

    let place = values::place(Point { x: i32::MIN, y: 7 });
    check("place", (place.x, place.y) == (i32::MIN, 7))?;
    for shape in shapes() {
        check("drawn", same(&values::drawn(&shape), &shape))?;
    }
    let sent = everything();
    // Records of generated code have no equality; their text has it.
    check("all", same(&values::all(&sent), &sent))?;
    let (sum, text, place, raw) = values::crowd(
        1,
        2,
        3,
        4,
        -1,
        -2,
        -3,
        100,
        1.0,
        2.0,
        'k',
        "l",
        true,
        Colour::Green,
        Some(5),
        Point { x: 1, y: -1 },
        &[9, 8],
    );
    let crowd = (sum, text.as_str(), place.x, place.y, &raw[..]);
    check("crowd", crowd == (107, "k l true green Some(5)", 1, -1, &[9, 8]))?;
    Ok(format!("{checked} values came back as they were"))
}

fn same<T: std::fmt::Debug>(a: &T, b: &T) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

fn shapes() -> Vec<Shape> {
    vec![
        Shape::Nothing,
        Shape::Circle(0.1),
        Shape::Rectangle((1.0, -2.0)),
        Shape::Polygon(vec![Point { x: 1, y: 2 }, Point { x: 3, y: 4 }]),
        Shape::Polygon(Vec::new()),
    ]
}

fn everything() -> Everything {
    Everything {
        truth: true,
        small: 255,
        large: i64::MIN,
        ratio: 0.1,
        letter: '🦀',
        text: "text".repeat(100),
        raw: (0..=255).collect(),
        pair: (16, "pair".to_owned()),
        place: Point { x: -1, y: 1 },
        tint: Colour::Green,
        may: Rights::WRITE,
        drawn: Shape::Circle(2.5),
        perhaps: Some(None),
        outcome: Err(7),
        many: shapes(),
        grid: vec![vec![1, -2], Vec::new(), vec![i16::MIN]],
    }
}
