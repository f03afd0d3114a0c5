//! Which lines differ: what is found leads from one text to the other, whatever they are.

use proptest::prelude::*;
use similar::DiffOp;

use crate::plan::lines::{diff, lines};

/// What `ops` make of `old`, and how many lines they keep.
fn applied<'t>(ops: &[DiffOp], old: &[&'t [u8]], new: &[&'t [u8]]) -> (Vec<&'t [u8]>, usize) {
    let (mut out, mut kept, mut at) = (Vec::new(), 0, 0);
    for op in ops {
        assert_eq!(op.old_range().start, at, "{ops:?}");
        at = op.old_range().end;
        match op {
            DiffOp::Equal { len, .. } => {
                out.extend_from_slice(&old[op.old_range()]);
                kept += len;
            }
            _ => out.extend_from_slice(&new[op.new_range()]),
        }
    }
    assert_eq!(at, old.len());
    (out, kept)
}

fn kept(old: &str, new: &str) -> usize {
    let (old, new) = (lines(old.as_bytes()), lines(new.as_bytes()));
    let (out, kept) = applied(&diff(&old, &new), &old, &new);
    assert_eq!(out, new);
    kept
}

#[test]
fn as_much_as_can_be_is_kept() {
    for (old, new, want) in [
        ("", "", 0),
        ("", "a\n", 0),
        ("a\n", "", 0),
        ("a\nb\nc\n", "a\nx\nc\n", 2),
        ("a\n", "a", 0),
        // nothing is there once
        ("x\nx\ny\ny\n", "y\ny\nx\nx\n", 2),
        // one of the two moves
        ("a\nb\n", "b\na\n", 1),
        ("head\n1\n1\nmid\n2\n2\ntail\n", "head!\n1\n1\nmid\n2\n2\ntail!\n", 5),
    ] {
        assert_eq!(kept(old, new), want, "{old:?} {new:?}");
    }
}

#[test]
fn changes_at_both_ends_of_a_large_text_are_two() {
    let text = |first: &str, last: &str| {
        let middle: String = (0..50_000).map(|n| format!("backend be_{n}\n    balance roundrobin\n")).collect();
        format!("{first}\n{middle}{last}\n")
    };
    assert_eq!(kept(&text("a", "b"), &text("c", "d")), 100_000);
}

#[test]
fn large_texts_without_anything_in_common_are_replaced_whole() {
    let text = |words: [&str; 2]| (0..20_000).map(|n| format!("{}\n", words[n % 2])).collect::<String>();
    // every line is there often, and none could be found without comparing all with all
    assert_eq!(kept(&text(["a", "b"]), &text(["c", "a"])), 0);
}

proptest! {
    #[test]
    fn what_is_found_leads_from_one_to_the_other(
        old in proptest::collection::vec(0u8..12, 0..60), new in proptest::collection::vec(0u8..12, 0..60),
    ) {
        let text = |numbers: &[u8]| numbers.iter().map(|n| format!("{n}\n")).collect::<String>();
        let kept = kept(&text(&old), &text(&new));
        prop_assert_eq!(kept == old.len() && kept == new.len(), old == new);
    }
}
