use serde_json::json;

use super::{diff, markdown, plan, text};
use crate::cli::printer::Printer;
use crate::domain::plan::Plan;

pub fn sample() -> Plan {
    serde_json::from_value(json!({
        "id": "018f2f3e-0000-7000-8000-000000000001", "digest": "ab12", "source": {"kind": "change_set", "id": "018f2f3e-0000-7000-8000-000000000002"},
        "author": "ci", "created_at": "2026-01-01T00:00:00Z", "head": 7,
        "diff": {"counts": {"created": 1, "updated": 1, "deleted": 0}, "left_out": 0, "changes": [
            {"kind": "policy", "name": "shop", "change": "updated", "fields_left_out": 2,
             "fields": [{"pointer": "/mode", "before": "block", "after": "detect", "words": "mode: block → detect"}]},
            {"kind": "vhost", "name": "new", "change": "created", "fields_left_out": 0,
             "fields": [{"pointer": "/title", "after": "x", "words": "title: \u{1b}[31m<b>`a|b`"}]}]},
        "conflicts": [], "errors": [],
        "findings": [{"severity": "warning", "code": "unused", "pointer": "/policies/shop", "message": "no vhost uses it"}],
        "engines": [{"engine": "coraza", "answer": "accepted", "said": ""}, {"engine": "haproxy", "answer": "away", "said": "gone"}],
        "files": [{"path": "rows.map", "change": "changed", "added": 1, "removed": 1, "diff": "-a\n+b\n", "truncated": false}],
        "vhosts": {"total": 3, "names": ["a", "b"]},
        "lanes": [{"lane": "ruleset", "reason": "1 rule set is new"}],
        "cost": {"rulesets_to_load": 1, "memory_bytes": 3_400_000, "warm_up_ms": 35, "map_entries": 2},
        "risk": {"class": "high", "reasons": [{"class": "high", "code": "mode_lowered", "pointer": "/policies/shop/mode", "message": "requests are only reported"}]},
    }))
    .unwrap()
}

#[test]
fn a_plan_reads_well_without_colour() {
    insta::assert_snapshot!(plan::lines(&sample(), &Printer::plain()).join("\n"), @r##"
    ~ policies/shop changed
        mode: block → detect
        and 2 more fields
    + vhosts/new created
        title: \u{1b}[31m<b>`a|b`

    Changes: 1 created, 1 changed, planned on revision 7
    Risk: high
      high /policies/shop/mode: requests are only reported [mode_lowered]
    Affects 3 vhosts: a, b and 1 more
    Lane ruleset: 1 rule set is new
    Cost: 1 rule set to load, about 3.4 MB and 35 ms; 2 entries of maps
    coraza accepts it
    haproxy cannot be asked: it is judged when it is brought to the node
      | gone
    warning /policies/shop: no vhost uses it [unused]
    Files: 1 (+1 -1): rows.map
    Digest: ab12
    "##);
}

#[test]
fn a_plan_as_markdown_renders_nothing_that_people_wrote() {
    let text = markdown::plan(&sample(), &[]);
    assert!(!text.contains('\u{1b}'));
    insta::assert_snapshot!(text, @r##"
    ### Guard Proxy: plan


    1 created, 1 changed · risk **high** · 3 vhosts affected · planned on revision 7

    - `policies/shop` **changed**
      - `mode: block → detect`
      - and 2 more fields
    - `vhosts/new` **created**
      - `` title: \u{1b}[31m<b>`a∣b` ``

    | risk | where | why |
    | --- | --- | --- |
    | high | `/policies/shop/mode` | `requests are only reported` (`mode_lowered`) |

    - affected vhosts: `a, b and 1 more`
    - lane **ruleset**: `1 rule set is new`
    - cost: 1 rule set to load, about 3.4 MB and 35 ms; 2 entries of maps
    - `coraza` accepts it
    - `haproxy` cannot be asked: it is judged when it is brought to the node
    - warning `/policies/shop`: `no vhost uses it`

    `haproxy` says:

    ```text
    gone
    ```

    <details><summary>rows.map (+1 -1)</summary>

    ```diff
    -a
    +b
    ```

    </details>

    Digest `ab12`
    "##);
}

#[test]
fn conflicts_show_who_and_both_sides() {
    let conflict = serde_json::from_value(json!({
        "kind": "policy", "name": "shop", "element": "", "fields": ["/mode"], "base": {"mode": "off"}, "yours": {"mode": "block"},
        "theirs": {"mode": "detect"}, "theirs_revision": 8,
    }))
    .unwrap();
    let info = serde_json::from_value(json!({
        "number": 8, "created_at": "2026-01-01T00:00:00Z", "author": "pipeline-b", "message": "calm down", "digest": "", "counts": { "created": 0, "updated": 0, "deleted": 0 }, "changes": [], "origin": { "kind": "write" },
    }))
    .unwrap();
    insta::assert_snapshot!(diff::conflicts(&[conflict], &[info], &Printer::plain()).join("\n"), @r##"
    ! policies/shop was changed by pipeline-b in revision 8, "calm down"
        /mode
             was: "off"
           yours: "block"
          theirs: "detect"
    "##);
}

#[test]
fn small_words() {
    assert_eq!(text::count(1, "entry"), "1 entry");
    assert_eq!(text::count(2, "entry"), "2 entries");
    assert_eq!(text::count(0, "vhost"), "0 vhosts");
    assert_eq!(text::bytes(3_400_000), "3.4 MB");
    assert_eq!(markdown::code("a`b"), "``a`b``");
    assert_eq!(markdown::code("`"), "`` ` ``");
    assert_eq!(text::one_line("a\u{1b}[0m\nb"), "a\\u{1b}[0m⏎b");
}
