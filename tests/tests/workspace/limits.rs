//! Every limit has a name, a default and a place in the documentation of the configuration.

use crate::sources::root;

/// The public fields of `struct NAME` in a source text.
fn fields(text: &str, name: &str) -> Vec<String> {
    let Some(start) = text.find(&format!("pub struct {name} {{")) else {
        return Vec::new();
    };
    let body = &text[start..];
    let body = &body[..body.find("\n}").unwrap_or(body.len())];
    body.lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("pub ")?
                .split(':')
                .next()
                .map(str::to_owned)
        })
        .filter(|name| !name.contains(' '))
        .collect()
}

#[test]
fn every_limit_and_timeout_is_documented() {
    let page = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap_or_default();
    for (file, name) in [
        ("mta-proto/src/smtp/server/config.rs", "Limits"),
        ("mta-proto/src/smtp/server/config.rs", "Timeouts"),
        ("mta-proto/src/qmqp/server/config.rs", "Limits"),
        ("mta-proto/src/qmtp/server/config.rs", "Limits"),
        ("mta-proto/src/pop3/config.rs", "Limits"),
        ("mta-proto/src/pop3/config.rs", "Timeouts"),
        ("frontends/mtad/src/config/settings.rs", "Limits"),
        ("frontends/mtad/src/config/settings.rs", "Timeouts"),
        ("frontends/mtad/src/config/abuse.rs", "Abuse"),
    ] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let fields = fields(&text, name);
        assert!(
            !fields.is_empty(),
            "{file} has no struct {name} with public fields"
        );
        for field in fields {
            assert!(
                page.contains(&format!("`{field}`")),
                "docs/configuration.md does not name {name}'s `{field}`"
            );
        }
    }
}
