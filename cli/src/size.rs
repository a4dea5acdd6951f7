//! Sizes as people write them: a number with a unit.

/// `512KiB`, `64MiB`, `1GiB`; a number without a unit would be taken for another one by somebody.
pub(crate) fn parse(raw: &str) -> Result<u64, String> {
    let form = || "it has the form 512KiB, 64MiB or 1GiB".to_owned();
    let digits = raw.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
    let (number, unit) = raw.split_at(digits);
    let shift = match unit {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(form()),
    };
    let number: u64 = number.parse().map_err(|_| form())?;
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes != 0);
    bytes.ok_or_else(|| format!("{raw} is no size that a body can have"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_and_fits() {
        let cases = [
            ("1KiB", Some(1024)),
            ("64MiB", Some(64 << 20)),
            ("2GiB", Some(2 << 30)),
            ("64", None),
            ("MiB", None),
            ("64MB", None),
            ("-1MiB", None),
            ("0MiB", None),
            ("99999999999GiB", None),
            ("99999999999999999999999KiB", None),
        ];
        for (raw, bytes) in cases {
            assert_eq!(parse(raw).ok(), bytes, "{raw}");
        }
    }
}
