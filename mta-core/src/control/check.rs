//! What is odd in control files, alone and together (spec §2; said by `mtad check`).

use super::finding::{Finding, Weight};
use super::{BadList, Controls, Matching, morercpthosts_keys, qmqpservers, rules, smtproutes};
use crate::cdb::Cdb;
use std::collections::BTreeMap;

/// Looks at a one-line file.
pub(super) fn one_line(file: &'static str, text: &[u8], findings: &mut Vec<Finding>) {
    let mut lines = text.split(|&b| b == b'\n').map(rules::rtrim);
    let first = lines.next().unwrap_or_default();
    if first.iter().any(u8::is_ascii_control) {
        let text = "expected no control bytes (a CR from another system?); they are left out";
        findings.push(Finding::new(file, 1, Weight::Warning, text));
    }
    if first.iter().any(|b| matches!(b, b' ' | b'@')) && is_host(file) {
        let text = "expected one host name, without blank or @";
        findings.push(Finding::new(file, 1, Weight::Error, text));
    }
    if lines.any(|line| !line.is_empty()) {
        let text = "expected a single line; only the first is read";
        findings.push(Finding::new(file, 2, Weight::Warning, text));
    }
}

fn is_host(file: &str) -> bool {
    file == "me" || file.ends_with("host")
}

/// Looks at every line of a list file.
pub(super) fn list(file: &'static str, text: &[u8], findings: &mut Vec<Finding>) {
    let colons = matches!(file, "smtproutes" | "virtualdomains");
    let mut seen = BTreeMap::new();
    for (number, line) in rules::lines(text) {
        let mut say = |weight, text: &str| findings.push(Finding::new(file, number, weight, text));
        if line.contains(&0) {
            say(
                Weight::Error,
                "expected no NUL byte; the line never matches",
            );
        }
        if line.contains(&b'\r') {
            say(
                Weight::Error,
                "expected no CR (lines end with LF alone); the line never matches",
            );
        }
        if line.iter().any(|b| matches!(b, b' ' | b'\t')) {
            say(
                Weight::Warning,
                "expected no blank, neither before nor inside; blanks count as part of the name",
            );
        }
        if colons && rules::colon(line).is_none() {
            say(Weight::Error, "expected key:value; the line is ignored");
        }
        one_entry(file, line, &mut say);
        let key = match rules::colon(line) {
            Some((key, _)) if colons => key,
            _ => line,
        };
        if let Some(first) = seen.insert(key.to_ascii_lowercase(), number) {
            let text = match colons {
                true => format!("expected each key once; this replaces line {first}"),
                false => format!("the same as line {first}"),
            };
            say(
                if colons {
                    Weight::Warning
                } else {
                    Weight::Note
                },
                &text,
            );
        }
    }
}

/// Looks at one line by what its file is for.
fn one_entry(file: &str, line: &[u8], say: &mut impl FnMut(Weight, &str)) {
    match file {
        "locals" | "percenthack" if line.first() == Some(&b'.') => say(
            Weight::Error,
            "expected a whole domain; this file knows no .suffix, so the line never matches",
        ),
        "locals" | "percenthack" | "rcpthosts" | "morercpthosts" if line.contains(&b'@') => {
            say(
                Weight::Error,
                "expected a domain without @; the line never matches",
            );
        }
        "qmqpservers" if qmqpservers::server(line).is_none() => {
            say(Weight::Error, "expected an IP address; the line is ignored");
        }
        "virtualdomains" => {
            let value = rules::colon(line).map_or(&b""[..], |(_, value)| value);
            if value.iter().any(|b| matches!(b, b'@' | b':')) {
                say(
                    Weight::Warning,
                    "expected a local user after the colon, without @ or another colon",
                );
            }
        }
        "smtproutes" => {
            let value = rules::colon(line).map_or(&b""[..], |(_, value)| value);
            let route = smtproutes::parse_relay(value);
            let digits = value
                .get(route.relay.len()..)
                .and_then(|rest| rest.get(1..));
            let whole = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            if digits.is_some_and(|digits| route.port.is_none() || !whole(digits)) {
                say(
                    Weight::Error,
                    "expected domain:relay or domain:relay:port with a port from 1 to 65535",
                );
            }
        }
        _ => {}
    }
}

/// Looks at a list of what is refused.
///
/// Whether its lines are patterns is a setting that is not known here. A literal line that is a
/// pattern by accident and then misses what it spells out is what needs saying.
pub(super) fn bad_list(
    file: &'static str,
    text: &[u8],
    bad: &BadList,
    findings: &mut Vec<Finding>,
) {
    let mut seen = BTreeMap::new();
    for (number, line) in rules::lines(text) {
        let mut say = |weight, text: &str| findings.push(Finding::new(file, number, weight, text));
        if line.contains(&b'\r') {
            say(
                Weight::Error,
                "expected no CR (lines end with LF alone); the line never matches",
            );
        }
        let unusable = bad.unusable().iter().find(|bad| bad.line == number);
        if let Some(unusable) = unusable {
            say(
                Weight::Error,
                &format!("{}; the line refuses nobody", unusable.reason),
            );
        } else if is_plain(line) && !BadList::parse(line).refuses(Matching::Regex, line) {
            say(
                Weight::Warning,
                "expected a pattern; this one does not match the address that it spells",
            );
        }
        if let Some(first) = seen.insert(line.to_ascii_lowercase(), number) {
            say(Weight::Note, &format!("the same as line {first}"));
        }
    }
}

/// An address as it stands in lists without patterns.
fn is_plain(line: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"@._+-=?".contains(b);
    line.contains(&b'@') && line.iter().all(plain)
}

/// Looks at rcpthosts, morercpthosts and its cdb side by side.
pub(super) fn morercpthosts(
    listed: bool,
    text: Option<&[u8]>,
    cdb: Option<&[u8]>,
    findings: &mut Vec<Finding>,
) {
    const FILE: &str = "morercpthosts.cdb";
    let mut say = |file, weight, text: &str| findings.push(Finding::new(file, None, weight, text));
    if !listed {
        say(
            "rcpthosts",
            Weight::Warning,
            "expected the domains that mail is taken for; without it only those of locals and virtualdomains are",
        );
        if text.is_some() || cdb.is_some() {
            say(
                "morercpthosts",
                Weight::Error,
                "expected a file rcpthosts beside it; without one it is not consulted",
            );
        }
    }
    let keys = text.map(morercpthosts_keys).unwrap_or_default();
    let checked = cdb.map(|bytes| Cdb::new(bytes).and_then(|cdb| cdb.check().map(|()| cdb)));
    match checked {
        None if !keys.is_empty() => say(
            "morercpthosts",
            Weight::Error,
            "expected morercpthosts.cdb beside it; run qmail-newmrh",
        ),
        None => {}
        Some(Err(damaged)) => say(FILE, Weight::Error, &format!("{damaged}; run qmail-newmrh")),
        Some(Ok(cdb)) => {
            let missing = keys.iter().any(|key| !matches!(cdb.find(key), Ok(Some(_))));
            if missing || cdb.iter().count() < keys.len() {
                say(
                    FILE,
                    Weight::Warning,
                    "expected every line of morercpthosts; run qmail-newmrh",
                );
            }
        }
    }
}

/// Looks at what the files say together.
pub(super) fn together(controls: &Controls, findings: &mut Vec<Finding>) {
    let routing = &controls.routing;
    let shown = |name: &[u8]| name.escape_ascii().to_string();
    let mut say = |file, weight, text| findings.push(Finding::new(file, None, weight, text));
    let listed = |domain| matches!(controls.rcpthosts.allows_domain(domain), Ok(true) | Err(_));
    for domain in routing.locals.iter() {
        if routing.virtualdomains.has_key(domain) {
            say(
                "virtualdomains",
                Weight::Error,
                format!(
                    "expected {} here or in locals, not in both; locals wins",
                    shown(domain)
                ),
            );
        }
        if controls.rcpthosts.exists() && !listed(domain) {
            say("rcpthosts", Weight::Note, absent(&shown(domain), "locals"));
        }
    }
    for (key, prepend) in routing.virtualdomains.iter() {
        let domain = key.split(|&b| b == b'@').next_back().unwrap_or(key);
        let named = !prepend.is_empty() && !matches!(domain.first(), None | Some(b'.'));
        if named && controls.rcpthosts.exists() && !listed(domain) {
            let text = absent(&shown(domain), "virtualdomains");
            say("rcpthosts", Weight::Note, text);
        }
    }
    for domain in controls.rcpthosts.iter() {
        let here = routing.locals.contains(domain)
            || matches!(routing.virtualdomains.find_domain(domain), Some(p) if !p.is_empty());
        if !here && domain.first() != Some(&b'.') {
            let text = format!(
                "{} is neither in locals nor in virtualdomains: mail for it is taken and sent on",
                shown(domain)
            );
            say("rcpthosts", Weight::Note, text);
        }
    }
    if !routing.percenthack.is_empty() {
        let text = "user%host is rewritten; hosts not in rcpthosts stay closed to strangers";
        say("percenthack", Weight::Note, text.to_owned());
    }
}

fn absent(domain: &str, file: &str) -> String {
    format!("{domain} of {file} is not listed: strangers cannot send to it")
}
