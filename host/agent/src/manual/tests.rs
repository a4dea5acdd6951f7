use super::*;
use crate::testing::{id, spec};

fn entry(name: &str, count: u32, life: Life) -> ManualEntry {
    ManualEntry { spec: spec(&format!("hand:{name}")), count, life, annotations: BTreeMap::new() }
}

fn stored(effect: Effect) -> (u64, ManualSet) {
    let Effect::StoreManual { number, set } = effect else { panic!("{effect:?}") };
    (number, (*set).clone())
}

#[test]
fn what_a_command_changes_holds_when_it_is_on_disk() {
    let mut manual = Manual::default();
    let change =
        |entry: Option<ManualEntry>| Some(Change { id: id("web"), entry: entry.map(Box::new) });
    let web = entry("web", 1, Life::Manual);
    let written = manual.write(change(Some(web.clone())), Vec::new());
    let (number, set) = stored(written);
    assert_eq!(set.entries, [web]);
    assert!(!manual.has(&id("web")) && !manual.is_free(Millis(0)));
    assert!(manual.written(number + 1).is_none(), "that is another write");
    assert!(manual.written(number).is_some());
    assert!(manual.has(&id("web")));
    let (number, set) = stored(manual.write(change(None), Vec::new()));
    assert_eq!((set.entries.len(), set.released), (0, [id("web")].into()));
    manual.failed(number, Millis(0));
    assert!(manual.has(&id("web")) && manual.released().is_empty());
    assert!(!manual.is_free(Millis(499)) && manual.is_free(Millis(500)));
    assert!(manual.is_touched(), "it is written again as it is");
}

#[test]
fn what_is_taken_over_while_it_is_written_ends_all_the_same() {
    let shop = "shop".parse::<AppName>().unwrap();
    let web = entry("web", 1, Life::Manual);
    let change = |entry| Some(Change { id: id("web"), entry });
    // For the first time, and again.
    let mut manual = Manual::default();
    for begin in [0, 60_000] {
        let begin = Millis(begin);
        let (number, _) = stored(manual.write(change(Some(Box::new(web.clone()))), Vec::new()));
        manual.take_over(&id("web"), shop.clone(), begin);
        manual.written(number).unwrap();
        assert_eq!(manual.taken_by(&id("web")), Some(&shop));
        assert_eq!(manual.overdue(begin + TAKEN_MS), [id("web")]);
        manual.taken.clear();
    }
    let (number, _) = stored(manual.write(change(None), Vec::new()));
    manual.take_over(&id("web"), shop, Millis(0));
    manual.written(number).unwrap();
    assert_eq!(manual.taken_by(&id("web")), None, "it ended by itself");
}

#[test]
fn a_session_does_not_come_back_from_the_disk() {
    let (web, db) = (entry("web", 1, Life::Manual), entry("db", 1, Life::Session));
    let set = ManualSet::new(vec![web, db], [id("old")].into());
    let mut manual = Manual::default();
    manual.restore(&set);
    assert_eq!(manual.entries().keys().collect::<Vec<_>>(), [&id("web")]);
    assert_eq!(*manual.released(), [id("db"), id("old")].into());
    assert!(manual.is_touched());
}
