//! Which lines of two texts differ.

/// More pairs of lines are not compared one by one: a manifest that changed in thousands of lines
/// is read as another one.
const PAIRS_MAX: usize = 16 << 20;

/// One line of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Both(&'a str),
    /// Only in the first.
    Gone(&'a str),
    /// Only in the second.
    New(&'a str),
}

/// All lines of both, with as many in common as there are, in order.
pub(super) fn compare<'a>(old: &'a [String], new: &'a [String]) -> Vec<Line<'a>> {
    let begin = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[begin..], &new[begin..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_middle, tail) = old_rest.split_at(old_rest.len() - end);
    let new_middle = &new_rest[..new_rest.len() - end];
    let both = |lines: &'a [String]| lines.iter().map(|line| Line::Both(line.as_str()));
    let mut lines: Vec<Line<'a>> = both(&old[..begin]).collect();
    middle(old_middle, new_middle, &mut lines);
    lines.extend(both(tail));
    lines
}

/// By the longest common subsequence, whose length is computed from every pair of ends.
fn middle<'a>(old: &'a [String], new: &'a [String], lines: &mut Vec<Line<'a>>) {
    let width = new.len() + 1;
    let (mut at, mut to) = (0, 0);
    if old.len().saturating_mul(new.len()) <= PAIRS_MAX {
        let mut common = vec![0_u32; (old.len() + 1) * width];
        for i in (0..old.len()).rev() {
            for j in (0..new.len()).rev() {
                common[i * width + j] = if old[i] == new[j] {
                    common[(i + 1) * width + j + 1] + 1
                } else {
                    common[(i + 1) * width + j].max(common[i * width + j + 1])
                };
            }
        }
        while at < old.len() && to < new.len() {
            if old[at] == new[to] {
                lines.push(Line::Both(&old[at]));
                (at, to) = (at + 1, to + 1);
            } else if common[at * width + to + 1] <= common[(at + 1) * width + to] {
                lines.push(Line::Gone(&old[at]));
                at += 1;
            } else {
                lines.push(Line::New(&new[to]));
                to += 1;
            }
        }
    }
    lines.extend(old[at..].iter().map(|line| Line::Gone(line.as_str())));
    lines.extend(new[to..].iter().map(|line| Line::New(line.as_str())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        let (old, new) = (lines(old), lines(new));
        let shown = compare(&old, &new).into_iter().map(|line| match line {
            Line::Both(line) => format!(" {line}"),
            Line::Gone(line) => format!("-{line}"),
            Line::New(line) => format!("+{line}"),
        });
        shown.collect()
    }

    #[test]
    fn what_is_in_both_is_kept_and_the_rest_marked() {
        let cases = [
            ("", "", ""),
            ("abc", "abc", " a b c"),
            ("abc", "axc", " a-b+x c"),
            ("abc", "", "-a-b-c"),
            ("", "ab", "+a+b"),
            ("abcd", "bcde", "-a b c d+e"),
            ("aXbYc", "abc", " a-X b-Y c"),
            ("ab", "abab", " a b+a+b"),
        ];
        for (old, new, expected) in cases {
            assert_eq!(shown(old, new), expected, "{old} {new}");
        }
    }
}
