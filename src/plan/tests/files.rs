//! Files as people read what differs in them.

use insta::assert_snapshot;

use super::*;
use crate::domain::plan::FileChange;

fn of(files: &[(&str, &[u8])]) -> Bundle {
    let mut out = bundle(&Snapshot::default());
    out.files = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
    out
}

#[test]
fn a_change_has_three_lines_around_it() {
    let text = |word: &str, end: &str| format!("1\n2\n3\n4\n5\n{word}\n7\n8\n9\n10\n11\n12\n13\n14\n15{end}");
    let (before, after) = (text("six", "\n"), text("6", ""));
    let all = super::super::files(Some(&of(&[("a", b"same"), ("b", before.as_bytes())])), &of(&[("a", b"same"), ("b", after.as_bytes())]));
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].change, all[0].added, all[0].removed, all[0].truncated), (FileChange::Changed, 2, 2, false));
    assert_snapshot!(all[0].diff, @r"
    --- a/b
    +++ b/b
    @@ -3,7 +3,7 @@
     3
     4
     5
    -six
    +6
     7
     8
     9
    @@ -12,4 +12,4 @@
     12
     13
     14
    -15
    +15
    \ No newline at end of file
    ");
}

#[test]
fn files_come_and_go_and_nothing_of_them_panics() {
    let long = [b"\xff".repeat(2000), b"\n".to_vec()].concat();
    let all = super::super::files(Some(&of(&[("gone", b"1\n2\n")])), &of(&[("new", b"\xff\n"), ("wide", &long)]));
    let told: Vec<_> = all.iter().map(|file| (file.path.as_str(), file.change, file.added, file.removed)).collect();
    assert_eq!(told, [("gone", FileChange::Removed, 0, 2), ("new", FileChange::Added, 1, 0), ("wide", FileChange::Added, 1, 0)]);
    assert_eq!(all[0].diff, "--- a/gone\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-1\n-2\n");
    assert_eq!(all[1].diff, "--- /dev/null\n+++ b/new\n@@ -0,0 +1,1 @@\n+\u{fffd}\n");
    // 1024 bytes are 341 characters of three
    let shown = format!("+{}… {} bytes more\n", "\u{fffd}".repeat(341), 6000 - 1023);
    assert!(all[2].diff.ends_with(&shown), "{}", all[2].diff);
}

#[test]
fn diffs_are_bounded_and_counts_are_not() {
    let text = |word: &str| (0..20_000).map(|n| format!("{word} {n}\n")).collect::<String>();
    let (old, new) = (text("old"), text("new"));
    let names: Vec<String> = (10..30).map(|n| format!("f{n}")).collect();
    let side = |text: &str| of(&names.iter().map(|name| (name.as_str(), text.as_bytes())).collect::<Vec<_>>());
    let all = super::super::files(Some(&side(&old)), &side(&new));
    assert_eq!(all.len(), 20);
    let limit = 64 << 10;
    assert!(all.iter().all(|file| (file.added, file.removed, file.truncated) == (20_000, 20_000, true) && file.diff.len() <= limit));
    assert!((limit - 100..=limit).contains(&all[0].diff.len()) && all[0].diff.ends_with('\n'));
    let total: usize = all.iter().map(|file| file.diff.len()).sum();
    assert!(((1 << 20) - 100..=1 << 20).contains(&total), "{total}");
    assert_eq!(all[19].diff, "");
}

#[test]
fn one_change_among_ten_thousand_vhosts_is_a_small_diff() {
    let before = sample::snapshot(10_000, 50);
    let mut after = before.clone();
    let mut changed = after.vhosts[&name("site-5000")].as_ref().clone();
    changed.spec.upstream.servers[0].weight = 7;
    changed.spec.websocket = true;
    after.put_vhost(Arc::new(changed));
    let (old, new) = (bundle(&before), bundle(&after));

    assert_eq!(super::super::diff(&before, &after, None).changes.len(), 1);
    let all = super::super::files(Some(&old), &new);
    let told: Vec<_> = all.iter().map(|file| (file.path.as_str(), file.added, file.removed, file.truncated)).collect();
    // the structure's digest, in two places, and the server; the generation; the row
    assert_eq!(told, [("haproxy.cfg", 3, 3, false), ("live.map", 1, 1, false), ("rows.map", 1, 1, false)]);
    assert!(all.iter().map(|file| file.diff.len()).sum::<usize>() < 4000);
}
