use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

fn bundle(revision: Revision, files: &[(&str, &str)]) -> Bundle {
    Bundle {
        revision,
        digest: format!("d{revision}"),
        structure: "s".into(),
        files: files.iter().map(|(name, text)| ((*name).to_owned(), Arc::from(text.as_bytes()))).collect(),
        maps: BTreeMap::new(),
        rulesets: BTreeMap::new(),
        probes: Arc::default(),
    }
}

#[test]
fn releases_share_what_is_the_same() {
    let root = tempfile::tempdir().unwrap();
    let releases = Releases::new(root.path());
    assert_eq!(releases.current(), None);
    let first = releases.write(&bundle(1, &[("live.map", "1 a\n"), ("errors/403.html", "no")])).unwrap();
    assert_eq!(releases.current(), None, "written is not live");
    releases.publish(first.number).unwrap();
    assert_eq!(releases.current().unwrap(), first);
    let second = releases.write(&bundle(2, &[("live.map", "1 b\n"), ("errors/403.html", "no")])).unwrap();
    releases.publish(second.number).unwrap();
    let inode = |number, name: &str| std::fs::metadata(releases.folder(number).join(name)).unwrap().ino();
    assert_eq!(inode(1, "errors/403.html"), inode(2, "errors/403.html"));
    assert_ne!(inode(1, "live.map"), inode(2, "live.map"));
    assert_eq!(releases.maps(1).unwrap()[&MapName::Live].as_slice(), [("1".to_owned(), "a".to_owned())]);
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(releases.folder(2)), mode(releases.folder(2).join("live.map"))), (0o700, 0o600));
    for revision in 3..12 {
        releases.write(&bundle(revision, &[("live.map", "x y\n")])).unwrap();
    }
    releases.prune().unwrap();
    let mut left = releases.numbers().unwrap();
    left.sort_unstable();
    assert_eq!(left, [2, 7, 8, 9, 10, 11]);
}

/// Whoever dies leaves one of these behind.
#[test]
fn whoever_dies_current_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let releases = Releases::new(root.path());
    let first = releases.write(&bundle(1, &[("live.map", "1 a\n")])).unwrap();
    releases.publish(first.number).unwrap();
    let half = root.path().join("releases/2.new");
    let next = || bundle(2, &[("live.map", "1 b\n")]);
    // Among the files; before the folder is renamed; before the link is made; before it is renamed.
    let deaths: [&dyn Fn(); 4] = [
        &|| {
            std::fs::create_dir(&half).unwrap();
            std::fs::write(half.join("live.map"), "1").unwrap();
        },
        &|| std::fs::write(half.join(MANIFEST), "{}").unwrap(),
        &|| drop(releases.write(&next()).unwrap()),
        &|| symlink("releases/2", root.path().join("current.new")).unwrap(),
    ];
    for die in deaths {
        die();
        assert_eq!(Releases::new(root.path()).sound(), Some(first.clone()));
        assert_eq!(std::fs::read_to_string(root.path().join("current/live.map")).unwrap(), "1 a\n");
    }
    let next = releases.write(&bundle(3, &[("live.map", "1 c\n")])).unwrap();
    releases.publish(next.number).unwrap();
    releases.prune().unwrap();
    assert_eq!(std::fs::read_to_string(root.path().join("current/live.map")).unwrap(), "1 c\n");
    let mut left = std::fs::read_dir(root.path().join("releases")).unwrap();
    assert!(left.all(|e| !e.unwrap().file_name().to_string_lossy().contains("new")));
}

#[test]
fn what_cannot_be_read_is_written_anew() {
    let root = tempfile::tempdir().unwrap();
    let releases = Releases::new(root.path());
    let one = bundle(1, &[("live.map", "1 a\n")]);
    for spoil in [
        &(|folder: &Path| std::fs::write(folder.join(MANIFEST), "{").unwrap()) as &dyn Fn(&Path),
        &|folder: &Path| std::fs::remove_dir_all(folder).unwrap(),
        &|_: &Path| std::fs::remove_file(root.path().join("current")).unwrap(),
    ] {
        let number = releases.write(&one).unwrap().number;
        releases.publish(number).unwrap();
        assert_eq!(releases.stray(&one.digest), None);
        spoil(&releases.folder(number));
        assert_eq!(releases.current(), None);
        let why = releases.stray(&one.digest).unwrap();
        assert!(why.contains(root.path().to_str().unwrap()), "the path is named: {why}");
    }
    let last = releases.write(&one).unwrap();
    releases.publish(last.number).unwrap();
    assert_eq!(releases.sound(), Some(last));
}

#[test]
fn what_is_damaged_is_not_handed_on() {
    let root = tempfile::tempdir().unwrap();
    let releases = Releases::new(root.path());
    let files = [("haproxy.cfg", "global\n"), ("rows.map", "1 a\n")];
    let one = bundle(1, &files);
    for (name, text) in [("haproxy.cfg", "glob"), ("haproxy.cfg", "GLOBAL\n"), ("rows.map", ""), ("rows.map", "1 b\n")] {
        let number = releases.write(&one).unwrap().number;
        releases.publish(number).unwrap();
        assert!(releases.sound().is_some());
        std::thread::sleep(std::time::Duration::from_millis(5));
        std::fs::write(releases.folder(number).join(name), text).unwrap();
        for process in [&releases, &Releases::new(root.path())] {
            assert_eq!(process.sound(), None, "{name}");
            assert!(process.stray(&one.digest).unwrap().contains(name));
        }
        let anew = releases.write(&bundle(2, &files)).unwrap();
        for (name, text) in files {
            assert_eq!(std::fs::read_to_string(releases.folder(anew.number).join(name)).unwrap(), text);
        }
    }
    // What a version before wrote says nothing of its files.
    let last = releases.write(&one).unwrap();
    releases.publish(last.number).unwrap();
    let manifest = r#"{"revision":1,"digest":"d1","structure":"s","rulesets":[]}"#;
    std::fs::write(releases.folder(last.number).join(MANIFEST), manifest).unwrap();
    assert!(releases.current().is_some() && releases.sound().is_none());
}

#[test]
fn names_stay_inside() {
    for bad in ["../x", "/etc/x", "a//b", "", ".hidden", "a/../b", "manifest.json"] {
        assert!(inside(Path::new("/r"), bad).is_err(), "{bad}");
    }
    assert!(inside(Path::new("/r"), "errors/403.html").is_ok());
}

#[test]
fn staging_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let staged = Releases::new(root.path()).stage(&bundle(1, &[("errors/1", "x")])).unwrap();
    let folder = staged.folder().to_owned();
    assert!(folder.join("errors/1").exists());
    drop(staged);
    assert!(!folder.exists());
}
