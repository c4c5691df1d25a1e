//! The order that vpopmail keeps in rcpthosts, virtualdomains and users/assign, and edits by whole
//! lines in it (vadddomain(8)).

/// The key that a line is sorted by: the last two labels moved to the front.
///
/// ```
/// use mta_auth::domain_order::key;
/// assert_eq!(key(b"mail.zed.test"), b"zed.test.mail");
/// assert_eq!(key(b"zed.test"), b"zed.test");
/// ```
#[must_use]
pub fn key(domain: &[u8]) -> Vec<u8> {
    let mut dots = domain
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, b)| **b == b'.')
        .map(|(at, _)| at);
    let Some(at) = dots.nth(1) else {
        return domain.to_vec();
    };
    let (front, back) = domain.split_at(at);
    let mut key = back.get(1..).unwrap_or_default().to_vec();
    if !front.is_empty() {
        key.push(b'.');
        key.extend_from_slice(front);
    }
    key
}

/// Returns the file with `line` in it, before the first line with a greater key. The key is that
/// of the line up to its first colon. A line that is there already is not added again, and an
/// unsorted file is sorted first, comments and blank lines at its top.
#[must_use]
pub fn with(file: &[u8], line: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = lines(file).collect();
    if !lines.is_sorted_by_key(|line| line_key(line)) {
        lines.sort_by_cached_key(|line| line_key(line));
    }
    if !lines.contains(&line) {
        let new = line_key(line);
        let at = lines.partition_point(|line| line_key(line) <= new);
        lines.insert(at, line);
    }
    joined(lines)
}

/// Returns the file without `line`, every copy of it.
#[must_use]
pub fn without(file: &[u8], line: &[u8]) -> Vec<u8> {
    joined(lines(file).filter(|other| !same(other, line)).collect())
}

/// Tells whether `line` stands in the file, as qmail reads it: letters' case and trailing blanks
/// do not count.
#[must_use]
pub fn contains(file: &[u8], line: &[u8]) -> bool {
    lines(file).any(|other| same(other, line))
}

/// How many lines the file has.
#[must_use]
pub fn count(file: &[u8]) -> usize {
    lines(file).count()
}

fn same(line: &[u8], other: &[u8]) -> bool {
    line.trim_ascii_end().eq_ignore_ascii_case(other)
}

fn line_key(line: &[u8]) -> (bool, Vec<u8>) {
    let plain = !line.is_empty() && !line.starts_with(b"#");
    let domain = line.split(|&b| b == b':').next().unwrap_or_default();
    (plain, if plain { key(domain) } else { Vec::new() })
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let file = file.strip_suffix(b"\n").unwrap_or(file);
    let some = !file.is_empty();
    file.split(|&b| b == b'\n').filter(move |_| some)
}

fn joined(lines: Vec<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}
