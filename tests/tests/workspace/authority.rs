//! Builds docs/rfc-map.md from the citations in the sources and fails where the page is out of date.

use crate::sources::{root, rust_files};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Every `RFC 5321 §4.5.2` in a text, as (5321, "4.5.2"); a bare `RFC 5321` has an empty section.
fn citations(text: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for rest in text.split("RFC ").skip(1) {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let Ok(number) = digits.parse() else { continue };
        let section = rest[digits.len()..]
            .strip_prefix(" §")
            .map(|s| {
                s.chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '.')
                    .collect::<String>()
            })
            .unwrap_or_default();
        found.push((number, section.trim_end_matches('.').to_owned()));
    }
    found
}

fn map() -> String {
    let mut by_rfc: BTreeMap<u32, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for path in rust_files(&root()) {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if name.contains("/tests/") || name.starts_with("tests/") {
            continue;
        }
        for (number, section) in citations(&std::fs::read_to_string(&path).unwrap()) {
            by_rfc
                .entry(number)
                .or_default()
                .entry(section)
                .or_default()
                .insert(name.clone());
        }
    }
    let mut page = String::from(
        "# RFC map\n\nWhere each clause is implemented. Made from the citations in the sources; \
         `UPDATE=1 cargo test -p mta-tests rfc_map` writes it anew.\n",
    );
    for (number, sections) in by_rfc {
        write!(page, "\n## RFC {number}\n\n").unwrap();
        for (section, files) in sections {
            let section = if section.is_empty() {
                "whole".to_owned()
            } else {
                format!("§{section}")
            };
            let files: Vec<_> = files.iter().map(|f| format!("[{f}](../{f})")).collect();
            writeln!(page, "- {section}: {}", files.join(", ")).unwrap();
        }
    }
    page
}

#[test]
fn rfc_map_is_up_to_date() {
    let path = root().join("docs/rfc-map.md");
    let wanted = map();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/rfc-map.md is out of date: UPDATE=1 cargo test -p mta-tests rfc_map"
    );
}

#[test]
fn proto_cites_its_authorities() {
    let mut cited = 0;
    let mut lines = 0;
    for path in rust_files(&root().join("mta-proto/src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        cited += citations(&text).len();
        // No RFC is written for QMTP and QMQP: manual pages and their author's texts stand for it.
        let name = path.display().to_string();
        if ["/qmtp/", "/qmqp/", "/netstring.rs"]
            .iter()
            .any(|part| name.contains(part))
        {
            cited += text.matches("(8)").count() + text.matches("cr.yp.to/proto/").count();
        }
        lines += text
            .lines()
            .filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with("//"))
            .count();
    }
    assert!(
        cited * 1000 >= lines * 20,
        "{cited} citations in {lines} lines of code: fewer than 20 per 1000"
    );
}
