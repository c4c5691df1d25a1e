//! Which crate may depend on which (ARCHITECTURE.md, Directions), asked of cargo itself.

use crate::sources::{LIBRARIES, root};
use std::collections::BTreeSet;
use std::process::Command;

fn normal_dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "-e",
            "normal",
            "--prefix",
            "none",
            "-p",
            package,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != package && !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_library_depends_on_a_runtime_a_socket_or_a_dns_client() {
    for library in LIBRARIES {
        let found = normal_dependencies(library);
        for banned in [
            "tokio",
            "mio",
            "socket2",
            "async-std",
            "hickory-resolver",
            "hickory-net",
            "anyhow",
            "rand",
        ] {
            // hickory-proto itself brings `rand` for its own message ids, which we never let it choose.
            let excused = banned == "rand" && found.contains("hickory-proto");
            assert!(
                excused || !found.contains(banned),
                "{library} depends on {banned}"
            );
        }
    }
}

#[test]
fn hickory_proto_is_a_matter_of_mta_proto_alone() {
    for library in LIBRARIES {
        let found = normal_dependencies(library).contains("hickory-proto");
        assert_eq!(found, library == "mta-proto", "{library}");
    }
}

#[test]
fn dependencies_point_in_the_drawn_directions() {
    let drawn: [(&str, &[&str]); 5] = [
        ("mta-core", &[]),
        ("mta-proto", &["mta-core"]),
        ("mta-store", &["mta-core"]),
        ("mta-auth", &["mta-core", "mta-store"]),
        ("mta-list", &["mta-core", "mta-store"]),
    ];
    for (library, allowed) in drawn {
        for found in normal_dependencies(library) {
            let ours = LIBRARIES.contains(&found.as_str());
            assert!(
                !ours || allowed.contains(&found.as_str()),
                "{library} depends on {found}"
            );
        }
    }
}
