use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::write::{Exported, compare, files, write};
use super::*;
use crate::domain::{FieldError, Kind};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    folder
}

fn checked(root: &Path) -> Tree {
    let mut tree = read(root).unwrap();
    check(&mut tree);
    tree
}

/// Faults of one tree as `file:line:column code`, without the folder.
fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    let prefix = format!("{}/", folder.path().display());
    let told = |fault: &Fault| format!("{} {}", fault.spot.to_string().replace(&prefix, ""), fault.code);
    checked(folder.path()).faults.iter().map(told).collect()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies")
}

#[test]
fn the_examples_are_good() {
    let tree = checked(&examples());
    assert_eq!((tree.faults.len(), tree.notes.len(), tree.documents.len()), (0, 0, 7), "{:?} {:?}", tree.faults, tree.notes);
    let list = tree.documents.iter().find(|document| document.name.as_str() == "monitoring").unwrap();
    assert_eq!(list.fields["entries"][1]["network"], "192.0.2.0/28");
    assert!(!list.fields.contains_key("entries_file") && !list.fields.contains_key("kind"));
}

#[test]
fn every_fault_has_its_line_and_column() {
    let policy = "kind: policy\nname: shop\nmode: blok\ncolour: red\nparanoia:\n  blocking: 9\ncustom_rules:\n  - id: 190001\n    seclang: |-\n      SecRule ARGS \"@streq 1\" \\\n        \"phase:2,exec:/bin/sh\"\n";
    assert_eq!(
        faults(&[("p.yaml", policy)]),
        ["p.yaml:3:7 invalid_value", "p.yaml:4:1 unknown_field", "p.yaml:6:13 invalid_value"],
        "types first: a rule is judged when the rest is good"
    );
    let good = policy.replace("blok", "block").replace("colour: red\n", "").replace(": 9", ": 2");
    let told = faults(&[("p.yaml", &good)]);
    assert!(told.len() == 1 && told[0].starts_with("p.yaml:10:"), "inside the rule's text: {told:?}");
    assert_eq!(faults(&[("a.yaml", "kind: policy\n")]), ["a.yaml:1:1 missing_field"]);
    assert_eq!(faults(&[("a.yaml", "kind: polizy\nname: a\n")]), ["a.yaml:1:7 invalid_value"]);
    assert_eq!(faults(&[("a.yaml", "kind: policy\nname: A\n")]), ["a.yaml:2:7 invalid_value"]);
    assert_eq!(faults(&[("a.yaml", "- a\n")]), ["a.yaml:1:1 invalid_type"]);
    assert_eq!(faults(&[("a.yaml", "kind: policy\nname: a\nmeta: {}\n")]), ["a.yaml:3:1 read_only"]);
    assert_eq!(faults(&[("a.yaml", "kind: policy\nname: a\n---\nkind: policy\nname: a\n")]), ["a.yaml:5:7 duplicate"]);
    assert_eq!(faults(&[("a.yaml", "kind: policy\nname: a\nname: b\n")]).len(), 1);
    assert_eq!(
        faults(&[("a.yaml", "kind: vhost\nname: a\npolicy: p\nupstream:\n  servers:\n    - address: 192.0.2.1\n")]),
        ["a.yaml:6:7 missing_field"],
        "what an item lacks is no field that the server has"
    );
}

#[test]
fn what_the_tree_does_not_say_is_noted() {
    let folder = folder(&[("a.yaml", "kind: vhost\nname: a\npolicy: p\naccess:\n  deny: [l]\n")]);
    let tree = checked(folder.path());
    assert!(tree.faults.is_empty(), "{:?}", tree.faults);
    let mut codes: Vec<_> = tree.notes.iter().map(|note| (note.spot.place.line, note.code.as_str(), note.pointer.as_str())).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            (1, "missing_field", "/hostnames"),
            (1, "missing_field", "/upstream"),
            (3, "not_in_tree", "/policy"),
            (5, "not_in_tree", "/access/deny/0")
        ]
    );
}

#[test]
fn hostnames_belong_to_one_vhost() {
    let vhost = |name: &str, hostname: &str| {
        format!(
            "kind: vhost\nname: {name}\nhostnames: [{hostname}]\npolicy: p\nupstream:\n  servers:\n    - address: 192.0.2.1\n      port: 80\n"
        )
    };
    let told = faults(&[("a.yaml", &vhost("a", "x.example")), ("b.yaml", &vhost("b", "x.example")), ("c.yaml", &vhost("c", "y.example"))]);
    assert_eq!(told, ["b.yaml:3:13 taken"]);
}

#[test]
fn files_of_entries_are_inside_the_tree_and_their_faults_in_them() {
    let list = |file: &str| format!("kind: ip_list\nname: l\nentries_file: {file}\n");
    assert_eq!(faults(&[("l.yaml", &list("l.txt")), ("l.txt", "192.0.2.0/24 # ok\nbad\n")]), ["l.txt:2:1 invalid_value"]);
    for outside in ["../l.txt", "/etc/hosts", "\"\"", "none.txt", "l.json", "l/../l.txt", "."] {
        assert_eq!(faults(&[("l.yaml", &list(outside)), ("l.json", "[]"), ("l.txt", "")]), ["l.yaml:3:15 invalid_value"], "{outside}");
    }
    let folder = folder(&[("in/l.yaml", &list("l.txt")), ("secret.txt", "192.0.2.1\n")]);
    std::os::unix::fs::symlink("../secret.txt", folder.path().join("in/l.txt")).unwrap();
    assert_eq!(checked(&folder.path().join("in")).faults.len(), 1);
    std::os::unix::fs::symlink("l.yaml", folder.path().join("in/m.yaml")).unwrap();
    assert!(checked(&folder.path().join("in")).faults.iter().any(|fault| fault.code == "symbolic_link"));
    let both = "kind: ip_list\nname: l\nentries: []\nentries_file: l.txt\n";
    assert_eq!(faults(&[("l.yaml", both), ("l.txt", "")]), ["l.yaml:4:15 conflict"]);
    let inline = "kind: ip_list\nname: l\nentries:\n  - network: 192.0.2.1\n  - network: 192.0.2.1/32\n  - network: x\n  - netwrk: y\n";
    assert_eq!(faults(&[("l.yaml", inline)]), ["l.yaml:5:14 duplicate", "l.yaml:6:14 invalid_value", "l.yaml:7:5 unknown_field"]);
}

#[test]
fn faults_of_the_server_find_their_places() {
    let tree = checked(&examples());
    let shop = tree.documents.iter().position(|document| document.path() == "policies/shop").unwrap();
    let seclang = FieldError { line: Some(1), column: Some(9), ..FieldError::new("/custom_rules/0/seclang", "x", "y") };
    let spot = tree.documents[shop].locate(&seclang);
    assert_eq!((spot.place.line, spot.place.column), (13, 15));
    let gone = tree.documents[shop].locate(&FieldError::new("/thresholds/inbound", "x", "y"));
    assert_eq!(gone.place.line, 2, "what is not written there is at the document");
    let list = tree.documents.iter().find(|document| document.path() == "ip-lists/monitoring").unwrap();
    let spot = list.locate(&FieldError::new("/entries/1/network", "x", "y"));
    assert!(spot.path.ends_with("ip-lists/monitoring.txt") && spot.place.line == 3, "{spot}");
    assert_eq!(split_root("/policies/shop/custom_rules/0"), Some((Kind::Policy, "shop", "/custom_rules/0")));
    assert_eq!(split_root("/vhosts/a"), Some((Kind::Vhost, "a", "")));
    assert_eq!(split_root("/objects/1"), None);
}

fn exported() -> Vec<Exported> {
    let object = |value: Value| value.as_object().unwrap().clone();
    let policy = crate::domain::Policy::new("shop".parse().unwrap());
    let mut fields = object(serde_json::to_value(policy).unwrap());
    fields.insert("meta".to_owned(), json!({ "etag": "\"1\"" }));
    fields["custom_rules"] = json!([{ "id": 190_001, "enabled": true, "placement": "before", "seclang": "SecRule ARGS \"@rx a\" \\\n  \"phase:2,deny,msg:'x'\"" }]);
    let list = json!({ "name": "l", "title": "", "description": "", "source": "manual", "entry_count": 1, "digest": "ab", "meta": {} });
    let entry = |value: Value| serde_json::from_value(value).unwrap();
    vec![
        Exported { kind: Kind::Policy, name: "shop".into(), fields, entries: Vec::new() },
        Exported {
            kind: Kind::IpList,
            name: "l".into(),
            fields: object(list),
            entries: vec![entry(json!({ "network": "192.0.2.0/24", "comment": "a" }))],
        },
    ]
}

#[test]
fn an_export_is_a_tree_with_the_same_values() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&exported()).unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["ip-lists/l.txt", "ip-lists/l.yaml", "policies/shop.yaml"]);
    assert!(
        files["policies/shop.yaml"]
            .starts_with("kind: policy\nname: shop\ntitle: \"\"\ndescription: \"\"\nmode: block\nparanoia:\n  blocking: 1\n")
    );
    let outcome = compare(folder.path(), &files).unwrap();
    write(folder.path(), &files, &outcome).unwrap();
    let tree = checked(folder.path());
    assert!(tree.faults.is_empty() && tree.notes.is_empty(), "{:?}", tree.faults);
    let shop = tree.documents.iter().find(|document| document.name.as_str() == "shop").unwrap();
    let mut want = exported().remove(0).fields;
    want.remove("meta");
    assert_eq!(Value::Object(shop.fields.clone()), Value::Object(want));
}

#[test]
fn an_export_loses_nothing_that_others_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let mut objects = exported();
    let first = files(&objects).unwrap();
    write(folder.path(), &first, &compare(folder.path(), &first).unwrap()).unwrap();
    let again = compare(folder.path(), &first).unwrap();
    assert_eq!((again.unchanged, again.written.len()), (3, 0));
    // What the server changed is written without a question, what is gone is removed.
    objects[0].fields["mode"] = "detect".into();
    objects.pop();
    let second = files(&objects).unwrap();
    let outcome = compare(folder.path(), &second).unwrap();
    assert_eq!(
        (outcome.written.clone(), outcome.removed.clone()),
        (vec!["policies/shop.yaml".to_owned()], vec!["ip-lists/l.txt".to_owned(), "ip-lists/l.yaml".to_owned()])
    );
    assert!(outcome.changed.is_empty() && outcome.foreign.is_empty());
    write(folder.path(), &second, &outcome).unwrap();
    assert!(!at("ip-lists/l.yaml").exists());
    // What somebody wrote is told.
    fs_err::write(at("policies/shop.yaml"), "kind: policy\nname: shop\n").unwrap();
    fs_err::write(at("mine.yml"), "kind: policy\nname: mine\n").unwrap();
    fs_err::write(at("README.md"), "mine").unwrap();
    let outcome = compare(folder.path(), &second).unwrap();
    assert_eq!((outcome.changed, outcome.foreign), (vec!["policies/shop.yaml".to_owned()], vec!["mine.yml".to_owned()]));
    // A line of the digests that we never write removes nothing.
    fs_err::write(at(write::DIGESTS), "00  ../x.yaml\n00  README.md\n00  policies/../../x.yaml\n").unwrap();
    assert!(compare(folder.path(), &second).unwrap().removed.is_empty());
}

#[test]
fn the_schema_is_what_the_code_generates_and_takes_the_examples() {
    let generated = schema::json_schema();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/policies-as-code.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        fs_err::write(&file, &generated).unwrap();
    }
    assert!(
        fs_err::read_to_string(&file).unwrap_or_default() == generated,
        "{} is not what the code generates: run `make docs`",
        file.display()
    );
    let schema: Value = serde_json::from_str(&generated).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut seen = 0;
    for folder in ["policies", "ip-lists", "vhosts"] {
        for entry in fs_err::read_dir(examples().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                for document in yaml::parse(&fs_err::read_to_string(&path).unwrap()).unwrap() {
                    let errors: Vec<_> = validator.iter_errors(&document.value).map(|error| error.to_string()).collect();
                    assert!(errors.is_empty(), "{}: {errors:?}", path.display());
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, 7);
    for (bad, why) in [
        (json!({ "kind": "policy" }), "no name"),
        (json!({ "kind": "policy", "name": "a", "colour": 1 }), "unknown member"),
        (json!({ "kind": "policy", "name": "a", "mode": "blok" }), "unknown mode"),
        (json!({ "kind": "ip_list", "name": "a", "entries": [], "entries_file": "a.txt" }), "entries twice"),
        (json!({ "kind": "policy", "name": "a", "meta": {} }), "read-only"),
    ] {
        assert!(!validator.is_valid(&bad), "{why}");
    }
    assert!(validator.is_valid(&json!({ "kind": "vhost", "name": "a", "rate_limit": null, "enabled": false })), "absent stays as it is");
}
