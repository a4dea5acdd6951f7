//! One function per family of types; none does anything.

use crate::Callee;
use crate::exports::wattle_test::echo::values::{Colour, Everything, Guest, Point, Rights, Shape};

/// `same! { name: Type, … }`: functions that return what they are given.
macro_rules! same {
    ($($name:ident: $ty:ty,)*) => {
        $(fn $name(value: $ty) -> $ty { value })*
    };
}

impl Guest for Callee {
    same! {
        truth: bool,
        unsigned8: u8,
        unsigned16: u16,
        unsigned32: u32,
        unsigned64: u64,
        signed8: i8,
        signed16: i16,
        signed32: i32,
        signed64: i64,
        single: f32,
        double: f64,
        letter: char,
        text: String,
        numbers16: Vec<u16>,
        numbers32: Vec<i32>,
        numbers64: Vec<u64>,
        singles: Vec<f32>,
        doubles: Vec<f64>,
        truths: Vec<bool>,
        texts: Vec<String>,
        place: Point,
        pair: (u8, String),
        tint: Colour,
        may: Rights,
        drawn: Shape,
        perhaps: Option<Option<u32>>,
        outcome: Result<String, u32>,
        verdict: Result<(), ()>,
        all: Everything,
    }

    /// The sum of all numbers, the texts one after the other, and the rest as it is.
    fn crowd(
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: i16,
        g: i32,
        h: i64,
        i: f32,
        j: f64,
        k: char,
        l: String,
        m: bool,
        n: Colour,
        o: Option<u8>,
        p: Point,
        q: Vec<u8>,
    ) -> (u64, String, Point, Vec<u8>) {
        let unsigned = u64::from(a) + u64::from(b) + u64::from(c) + d;
        let signed = i64::from(e) + i64::from(f) + i64::from(g) + h;
        let sum = unsigned + signed as u64 + i as u64 + j as u64;
        let n = match n {
            Colour::Red => "red",
            Colour::Green => "green",
            Colour::Blue => "blue",
        };
        (sum, format!("{k} {l} {m} {n} {o:?}"), p, q)
    }
}
