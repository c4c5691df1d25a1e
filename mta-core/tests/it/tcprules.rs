//! Rules of tcpserver: source to records, order of look-ups, decisions (spec §9.2, §9.3).

use mta_core::tcprules::{MAX_LINE, Parser, Peer, Rules, Syntax, Table, decide};
use std::net::IpAddr;

type Records = Result<Vec<(String, String)>, (usize, &'static str)>;

fn records(source: &[u8], syntax: Syntax) -> Records {
    Parser::new(source, syntax)
        .map(|rule| {
            let rule = rule.map_err(|error| (error.line, error.expected))?;
            let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
            Ok((text(&rule.key), text(&rule.data)))
        })
        .collect()
}

fn listed(pairs: &[(&str, &str)]) -> Records {
    Ok(pairs
        .iter()
        .map(|&(k, d)| (k.to_owned(), d.to_owned()))
        .collect())
}

type Line = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const LINES: [Line; 29] = [
    ("nothing", "", &[]),
    ("allow", "a:allow\n", &[("a", "")]),
    ("deny", "a:deny\n", &[("a", r"D\x00")]),
    ("no line feed at the end", "a:deny", &[("a", r"D\x00")]),
    (
        "deny sets variables too",
        "a:deny,X=\"1\"",
        &[("a", r"D\x00+X=1\x00")],
    ),
    (
        "two variables",
        "a:allow,X=\"1\",Y='2'",
        &[("a", r"+X=1\x00+Y=2\x00")],
    ),
    ("empty value", "a:allow,X=\"\"", &[("a", r"+X=\x00")]),
    ("empty name", "a:allow,=\"\"", &[("a", r"+=\x00")]),
    (
        "name with spaces",
        "a:allow, X =\"1\"",
        &[("a", r"+ X =1\x00")],
    ),
    ("any byte quotes", "a:allow,X=YzY", &[("a", r"+X=z\x00")]),
    (
        "other quotes inside",
        "a:allow,X='b:,\"'",
        &[("a", r#"+X=b:,\"\x00"#)],
    ),
    ("white space at the end", "a:deny \t \n", &[("a", r"D\x00")]),
    ("white space before", " a :allow", &[(" a ", "")]),
    ("comment", "#a:deny\n", &[]),
    ("comment in column two", " #a:deny\n", &[(" #a", r"D\x00")]),
    ("line without a colon", "nonsense\n\nb:allow", &[("b", "")]),
    ("empty address", ":deny", &[("", r"D\x00")]),
    (
        "range",
        "1.2.3.9-11:allow",
        &[("1.2.3.9", ""), ("1.2.3.10", ""), ("1.2.3.11", "")],
    ),
    (
        "range in a prefix",
        "10.1-2.:allow",
        &[("10.1.", ""), ("10.2.", "")],
    ),
    (
        "range at the start",
        "1-2.3:allow",
        &[("1.3", ""), ("2.3", "")],
    ),
    (
        "range ends at 255",
        "1.254-300:allow",
        &[("1.254", ""), ("1.255", "")],
    ),
    ("backward range", "1.5-3:allow", &[]),
    ("no first number", "1.-1:allow", &[("1.0", ""), ("1.1", "")]),
    ("no last number", "1.1-:allow", &[]),
    (
        "numbers lose zeros in front",
        "01-2.5:allow",
        &[("1.5", ""), ("2.5", "")],
    ),
    (
        "only the first range",
        "1-2.3-4:allow",
        &[("1.3-4", ""), ("2.3-4", "")],
    ),
    (
        "names are no ranges",
        "=a-b:allow\nx@1-2:allow",
        &[("=a-b", ""), ("x@1-2", "")],
    ),
    (
        "network, taken literally",
        "10.0.0.0/24:deny",
        &[("10.0.0.0/24", r"D\x00")],
    ),
    ("a huge number", "1.99999999999999999999-3:allow", &[]),
];

#[test]
fn lines_become_the_records_that_tcprules_writes() {
    for (name, source, expected) in LINES {
        let found = records(source.as_bytes(), Syntax::Original);
        assert_eq!(found, listed(expected), "{name}");
    }
}

const NO_RULES: [(&str, &str, &str); 17] = [
    (
        "neither",
        "a:alow",
        "expected allow or deny after the colon",
    ),
    ("nothing", "a:", "expected allow or deny after the colon"),
    (
        "capitals",
        "a:Allow",
        "expected allow or deny after the colon",
    ),
    (
        "carriage return",
        "a:deny\r",
        "expected a comma or the end of the line after an instruction",
    ),
    (
        "word goes on",
        "a:denyx",
        "expected a comma or the end of the line after an instruction",
    ),
    (
        "space before the comma",
        "a:deny ,X=\"1\"",
        "expected a comma or the end of the line after an instruction",
    ),
    (
        "no comma between",
        "a:allow,X=\"1\"Y=\"2\"",
        "expected a comma or the end of the line after an instruction",
    ),
    (
        "comma at the end",
        "a:allow,",
        "expected NAME=\"VALUE\" after a comma",
    ),
    (
        "no value",
        "a:allow,X=",
        "expected a quoted value after the equals sign",
    ),
    (
        "quote not closed",
        "a:allow,X=\"1",
        "expected the byte that opens a value to close it too",
    ),
    (
        "dash in a name",
        "a-b.example:allow",
        "expected digits up to the next dot on both sides of the dash",
    ),
    (
        "two dashes",
        "1-2-3:deny",
        "expected digits up to the next dot on both sides of the dash",
    ),
    (
        "letters after",
        "1.2-3x:deny",
        "expected digits up to the next dot on both sides of the dash",
    ),
    (
        "letters before",
        "1x2-3:deny",
        "expected digits up to the next dot on both sides of the dash",
    ),
    (
        "NUL",
        "a:allow,X=\"1\0\"",
        "expected a rule without NUL bytes",
    ),
    (
        "bare IPv6",
        "2001:db8::1:deny",
        "expected allow or deny after the colon",
    ),
    (
        "IPv6 length between",
        "[2001:db8::/33]:deny",
        "expected an IPv6 prefix length at most eight below a multiple of sixteen",
    ),
];

#[test]
fn a_line_that_is_no_rule_is_named_with_its_number_and_what_was_expected() {
    let long = format!("a:allow,X=\"{}\"", "x".repeat(MAX_LINE));
    let too_long = [(
        "too long",
        &long[..],
        "expected a rule of at most 8000 bytes",
    )];
    for (name, line, expected) in NO_RULES.into_iter().chain(too_long) {
        let source = format!("# first\nb:allow\n{line}\nc:allow\n");
        assert_eq!(
            records(source.as_bytes(), Syntax::Original),
            Err((3, expected)),
            "{name}"
        );
    }
    let error = Parser::new(b"\na:alow \t\n", Syntax::Original)
        .next()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.to_string(), "unable to parse this line: a:alow");
}

/// Name, address, how many keys, the first and the last.
type Network = (
    &'static str,
    &'static str,
    usize,
    &'static str,
    &'static str,
);

const NETWORKS: [Network; 14] = [
    ("one address", "192.0.2.1/32", 1, "192.0.2.1", "192.0.2.1"),
    (
        "upper half",
        "192.0.2.128/25",
        128,
        "192.0.2.128",
        "192.0.2.255",
    ),
    ("three octets", "192.0.2.0/24", 1, "192.0.2.", "192.0.2."),
    (
        "host bits do not matter",
        "192.0.2.77/24",
        1,
        "192.0.2.",
        "192.0.2.",
    ),
    ("private", "172.16.0.0/12", 16, "172.16.", "172.31."),
    ("everything", "0.0.0.0/0", 256, "0.", "255."),
    ("a range still", "10.0.0.1-2", 2, "10.0.0.1", "10.0.0.2"),
    (
        "IPv6 address",
        "[2001:DB8::1]",
        1,
        "2001:0db8:0000:0000:0000:0000:0000:0001",
        "2001:0db8:0000:0000:0000:0000:0000:0001",
    ),
    (
        "IPv6 network",
        "[2001:db8::/32]",
        1,
        "2001:0db8:",
        "2001:0db8:",
    ),
    ("eight bits open", "[fd00::/8]", 256, "fd00:", "fdff:"),
    ("all of IPv6", "[::/0]", 1, ":", ":"),
    ("mapped", "[::ffff:192.0.2.1]", 1, "192.0.2.1", "192.0.2.1"),
    (
        "with a user",
        "joe@[::1]",
        1,
        "joe@0000:0000:0000:0000:0000:0000:0000:0001",
        "joe@0000:0000:0000:0000:0000:0000:0000:0001",
    ),
    ("no IPv6 in the brackets", "[x", 1, "[x", "[x"),
];

#[test]
fn networks_become_prefixes_that_are_looked_up() {
    for (name, address, count, first, last) in NETWORKS {
        let source = format!("{address}:deny");
        let found = records(source.as_bytes(), Syntax::Extended).unwrap();
        assert_eq!(found.len(), count, "{name}");
        assert_eq!(found.first().unwrap().0, first, "{name}");
        assert_eq!(found.last().unwrap().0, last, "{name}");
    }
    let mut parser = Parser::new(b"a:deny\n10.0.0.0/8:deny\n", Syntax::Original);
    assert_eq!(parser.by_ref().count(), 2);
    assert_eq!(parser.suspicious(), [2]);
}

/// One rule of every kind, each telling its own key.
const ALL: &str = "\
joe@192.0.2.1:allow,K=\"1\"
joe@=h.example.com:allow,K=\"2\"
192.0.2.1:allow,K=\"3\"
=h.example.com:allow,K=\"4\"
192.0.2.:allow,K=\"5a\"
192.0.:allow,K=\"5b\"
192.:allow,K=\"5c\"
=.example.com:allow,K=\"6a\"
=.com:allow,K=\"6b\"
=:allow,K=\"7\"
:allow,K=\"8\"
";

#[test]
fn the_order_of_look_ups_is_tcpservers() {
    let peer = Peer::new("192.0.2.1".parse().unwrap())
        .host(b"h.example.com")
        .info(b"joe");
    let mut source = ALL.to_owned();
    for expected in ["1", "2", "3", "4", "5a", "5b", "5c", "6a", "6b", "7", "8"] {
        let rules = Table::parse(source.as_bytes(), Syntax::Original).unwrap();
        let decision = decide(&rules, &peer).unwrap();
        assert_eq!(decision.variable(b"K"), Some(expected.as_bytes()));
        // Without the rule that decided, the next one does.
        source = source.split_once('\n').unwrap().1.to_owned();
    }
    let none = decide(&Table::default(), &peer).unwrap();
    assert_eq!((none.key, none.denied), (None, false));
}

/// Name, address, host, user, the key of the rule that decides.
type Client = (
    &'static str,
    &'static str,
    Option<&'static [u8]>,
    Option<&'static [u8]>,
    &'static str,
);

const CLIENTS: [Client; 12] = [
    ("address only", "192.0.2.1", None, None, "3"),
    ("user", "192.0.2.1", None, Some(b"joe"), "1"),
    ("another user", "192.0.2.1", None, Some(b"jim"), "3"),
    (
        "user by name",
        "203.0.113.9",
        Some(b"h.example.com"),
        Some(b"joe"),
        "2",
    ),
    ("name", "203.0.113.9", Some(b"h.example.com"), None, "4"),
    (
        "prefix before suffix",
        "192.0.3.1",
        Some(b"x.example.com"),
        None,
        "5b",
    ),
    ("suffix", "203.0.113.9", Some(b"x.example.com"), None, "6a"),
    ("known", "203.0.113.9", Some(b"x.example.org"), None, "7"),
    ("empty name is a name", "203.0.113.9", Some(b""), None, "7"),
    ("unknown", "203.0.113.9", None, None, "8"),
    ("digits are whole octets", "19.2.0.2", None, None, "8"),
    (
        "IPv6 has the empty rule too",
        "2001:db8::1",
        None,
        None,
        "8",
    ),
];

#[test]
fn what_is_unknown_about_a_client_is_not_looked_up() {
    let rules = Table::parse(ALL.as_bytes(), Syntax::Original).unwrap();
    for (name, ip, host, info, expected) in CLIENTS {
        let mut peer = Peer::new(ip.parse().unwrap());
        if let Some(host) = host {
            peer = peer.host(host);
        }
        if let Some(info) = info {
            peer = peer.info(info);
        }
        let decision = decide(&rules, &peer).unwrap();
        assert_eq!(decision.variable(b"K"), Some(expected.as_bytes()), "{name}");
    }
}

#[test]
fn ipv6_rules_go_from_the_address_to_wider_networks() {
    let source = b"[2001:db8::1]:deny\n[2001:db8:1::/48]:allow,K=\"48\"\n\
        [2001:db8::/32]:allow,K=\"32\"\n[::/0]:allow,K=\"0\"\n:allow,K=\"all\"\n";
    let rules = Table::parse(source, Syntax::Original).unwrap();
    let table: [(&str, &str, Option<&[u8]>); 5] = [
        ("the address", "2001:db8::1", None),
        ("inner network", "2001:db8:1::1", Some(b"48")),
        ("outer network", "2001:db8::2", Some(b"32")),
        ("any", "fe80::1", Some(b"0")),
        ("mapped is IPv4", "::ffff:192.0.2.1", Some(b"all")),
    ];
    for (name, ip, expected) in table {
        let ip: IpAddr = ip.parse().unwrap();
        for peer in [Peer::new(ip), Peer::from_text(ip.to_string().as_bytes())] {
            let decision = decide(&rules, &peer).unwrap();
            assert_eq!(decision.variable(b"K"), expected, "{name}");
            assert_eq!(decision.denied, expected.is_none(), "{name}");
        }
    }
}

#[test]
fn of_two_rules_for_one_address_the_first_counts() {
    let rules = Table::parse(b"a:deny\na:allow\n", Syntax::Original).unwrap();
    assert!(decide(&rules, &Peer::from_text(b"a")).unwrap().denied);
}

/// One record for everybody.
struct One(&'static [u8]);

impl Rules for One {
    type Error = std::convert::Infallible;

    fn record(&self, _: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(Some(self.0.to_vec()))
    }
}

/// Name, data, whether it denies, its variables.
type Record = (&'static str, &'static [u8], bool, &'static [&'static [u8]]);

const RECORDS: [Record; 8] = [
    ("empty", b"", false, &[]),
    ("D behind a variable", b"+A=1\0D\0+B=2\0", true, &[b"A=1"]),
    ("unknown piece", b"X\0foo\0+A=1\0", false, &[b"A=1"]),
    ("no NUL behind a variable", b"+A=1", false, &[]),
    ("no NUL behind D", b"+A=1\0D", false, &[b"A=1"]),
    ("a lone D", b"D", false, &[]),
    ("no equals sign", b"+A\0", false, &[b"A"]),
    ("empty pieces", b"\0\0+A=\0", false, &[b"A="]),
];

#[test]
fn records_of_other_writers_are_read_as_tcpserver_reads_them() {
    for (name, data, denied, variables) in RECORDS {
        let decision = decide(&One(data), &Peer::from_text(b"x")).unwrap();
        let found: Vec<_> = decision.variables.iter().map(|v| v.text()).collect();
        assert_eq!((decision.denied, &found[..]), (denied, variables), "{name}");
    }
    let twice = decide(&One(b"+A=1\0+A=2\0"), &Peer::from_text(b"x")).unwrap();
    assert_eq!(twice.variable(b"A"), Some(&b"2"[..]));
}

proptest::proptest! {
    #[test]
    fn no_source_is_too_strange(source in "[ -~\\n]{0,200}") {
        for syntax in [Syntax::Original, Syntax::Extended] {
            for rule in Parser::new(source.as_bytes(), syntax).flatten() {
                proptest::prop_assert!(rule.data.is_empty() || rule.data.ends_with(b"\0"));
            }
        }
    }
}
