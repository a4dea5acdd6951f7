//! The table for people, in the guests' `README.md`: as many rows as there are cases, and the same words.

use crate::cases::{self, Case};

fn row(case: &Case) -> String {
    format!("| `{}` | {} | {} | {} | {} |", case.id, case.by, case.does, case.class, case.outcome)
}

#[test]
fn the_page_says_what_the_table_does() {
    let page = include_str!("../guests/hostile/README.md");
    let (_, table) = page.split_once("\n| id |").expect("the page has the table");
    let shown: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let rows: Vec<String> = cases::all().map(row).collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !shown.contains(&row.as_str())).collect();
    let whole = rows.join("\n");
    assert!(missing.is_empty(), "{missing:#?} are missing; the whole table is\n{whole}");
    assert_eq!(shown, rows, "the page has other rows");
}
