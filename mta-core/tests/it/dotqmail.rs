//! .qmail look-up and lines (spec §6.3 to §6.6).

use mta_core::dotqmail::{
    Chosen, Found, Instruction, ProgramEnd, Unopened, candidates, check_home, parse, search,
    simple_words,
};
use mta_core::report::{Outcome, Report};
use proptest::prelude::*;

#[test]
fn names_are_tried_from_the_longest_to_the_shortest() {
    #[rustfmt::skip]
    let rows: [(&str, &str, &[&str]); 6] = [
        ("-", "a-b", &["-a-b", "-a-default", "-default"]),
        ("-", "a-b-", &["-a-b-", "-a-b-default", "-a-default", "-default"]),
        ("-", "A.B", &["-a:b", "-default"]),
        ("-", "../x", &["-::/x", "-default"]),
        ("-", "", &["-", "-default"]),
        ("", "", &["", "default"]),
    ];
    for (dash, ext, want) in rows {
        let names = candidates(dash.as_bytes(), ext.as_bytes()).map(|c| c.name);
        let names: Vec<_> = names.map(|n| String::from_utf8(n).unwrap()).collect();
        let want: Vec<_> = want.iter().map(|n| format!(".qmail{n}")).collect();
        assert_eq!(names, want, "{dash} {ext}");
    }
}

#[test]
fn default_is_the_rest_in_its_own_case() {
    let defaults: Vec<_> = candidates(b"-", b"Ab-Cd").map(|c| c.default).collect();
    assert_eq!(
        defaults,
        [None, Some(b"Cd".to_vec()), Some(b"Ab-Cd".to_vec())]
    );
    let exact = candidates(b"-", b"a-Default").next().unwrap();
    assert_eq!(exact.default, Some(b"Default".to_vec()));
}

fn with(files: &[(&str, u32, &str)], dash: &str, ext: &str) -> Result<Chosen, Report> {
    search(dash.as_bytes(), ext.as_bytes(), b"./Mailbox\n", |name| {
        let file = files.iter().find(|(file, ..)| file.as_bytes() == name);
        match file {
            Some((_, 0, error)) => Err(Unopened {
                error: (*error).to_owned(),
            }),
            Some(&(_, mode, text)) => Ok(Some(Found {
                mode,
                contents: text.into(),
            })),
            None => Ok(None),
        }
    })
}

#[test]
fn the_first_file_there_is_used() {
    let files = [
        (".qmail-default", 0o600, "./d/\n"),
        (".qmail-a-default", 0o600, "./a\n"),
    ];
    let chosen = with(&files, "-", "a-b").unwrap();
    assert_eq!(chosen.file.unwrap(), b".qmail-a-default");
    assert_eq!(chosen.instructions, [Instruction::Mbox(b"./a".to_vec())]);
    assert_eq!(chosen.default.unwrap(), b"b");
}

#[test]
fn without_a_file_an_extension_does_not_exist_and_a_user_has_the_default() {
    let report = with(&[], "-", "a").unwrap_err();
    assert_eq!(
        report,
        Report::failure("Sorry, no mailbox here by that name. (#5.1.1)\n")
    );
    let chosen = with(&[], "", "").unwrap();
    assert_eq!(
        chosen.instructions,
        [Instruction::Mbox(b"./Mailbox".to_vec())]
    );
    let empty = with(&[(".qmail-a", 0o700, "")], "-", "a").unwrap();
    assert_eq!(
        empty.instructions, chosen.instructions,
        "an empty file too, executable or not"
    );
}

#[test]
fn dangerous_files_defer() {
    #[rustfmt::skip]
    let rows = [
        ((".qmail-a", 0o602, "./a\n"), "Uh-oh: .qmail file is writable. (#4.7.0)\n"),
        ((".qmail-a", 0, "permission denied"), "Unable to open .qmail-a: permission denied. (#4.3.0)\n"),
    ];
    for (file, text) in rows {
        assert_eq!(with(&[file], "-", "a").unwrap_err(), Report::deferral(text));
    }
    assert!(check_home(0o755).is_ok() && check_home(0o775).is_ok());
    assert!(check_home(0o757).is_err() && check_home(0o1755).is_err());
}

fn shown(contents: &str, mode: u32) -> Vec<String> {
    let shown = |i: Instruction| match i {
        Instruction::Maildir(f) => format!("maildir {}", f.escape_ascii()),
        Instruction::Mbox(f) => format!("mbox {}", f.escape_ascii()),
        Instruction::Program(c) => format!("program {}", c.escape_ascii()),
        Instruction::Forward(a) => format!("forward {}", a.as_bytes().escape_ascii()),
        Instruction::Refuse(r) => {
            assert_eq!(r.outcome, Outcome::Deferral);
            format!("refuse {}", r.text.escape_ascii())
        }
        other => format!("{other:?}"),
    };
    parse(contents.as_bytes(), mode)
        .into_iter()
        .map(shown)
        .collect()
}

#[test]
fn lines_mean_what_dot_qmail_says() {
    #[rustfmt::skip]
    let rows: [(&str, u32, &str, &[&str]); 11] = [
        ("each kind", 0, "./m/\n/v/mbox\n| prog a\n&a@b\nc@d\n",
            &["maildir ./m/", "mbox /v/mbox", "program  prog a", "forward a@b", "forward c@d"]),
        ("blanks at the end go", 0, "./m/ \t\n&a@b  \n", &["maildir ./m/", "forward a@b"]),
        ("a leading blank makes it an address", 0, " ./m/", &["forward  ./m/"]),
        ("comments and later blank lines", 0, "#x\n\n \t\n./m/", &["maildir ./m/"]),
        ("only a comment: nothing", 0, "# nobody\n", &[]),
        ("first line blank", 0, " \t\n./m/", &["refuse Uh-oh: first line of .qmail file is blank. (#4.2.1)\\n"]),
        ("x bit and a file", 0o100, "&a@b\n./m/\n&c@d",
            &["forward a@b", "refuse Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)\\n"]),
        ("x bit and a program", 0o700, "|p", &["refuse Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)\\n"]),
        ("+list from here on", 0, "./m/\n+list\n./n/", &["maildir ./m/",
            "refuse Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)\\n"]),
        ("other plus lines", 0, "+other\n./m/", &["maildir ./m/"]),
        ("group bits do not matter", 0o070, "./m/", &["maildir ./m/"]),
    ];
    for (name, mode, text, want) in rows {
        assert_eq!(shown(text, mode), want, "{name}");
    }
}

#[test]
fn exit_codes_have_qmails_meanings() {
    #[rustfmt::skip]
    let rows = [
        (0, ProgramEnd::Next), (99, ProgramEnd::Stop), (100, ProgramEnd::Failed), (64, ProgramEnd::Failed),
        (65, ProgramEnd::Failed), (70, ProgramEnd::Failed), (76, ProgramEnd::Failed), (77, ProgramEnd::Failed),
        (78, ProgramEnd::Failed), (112, ProgramEnd::Failed), (111, ProgramEnd::Deferred), (75, ProgramEnd::Deferred),
        (1, ProgramEnd::Deferred), (71, ProgramEnd::Deferred), (74, ProgramEnd::Deferred), (113, ProgramEnd::Deferred),
        (126, ProgramEnd::Deferred), (127, ProgramEnd::Deferred), (255, ProgramEnd::Deferred), (-1, ProgramEnd::Deferred),
    ];
    for (code, want) in rows {
        assert_eq!(ProgramEnd::from_code(code), want, "{code}");
    }
}

#[test]
fn only_plain_commands_are_split() {
    let split = |c: &str| simple_words(c.as_bytes()).map(|words| words.join(&b'|'));
    #[rustfmt::skip]
    let rows = [
        ("a b", Some("a|b")), ("  a\t'b c' \"d\"e ", Some("a|b c|de")), ("a ''", Some("a|")), ("", Some("")),
        ("a 'b", None), ("a\nb", None), ("a;b", None), ("a>b", None), ("a `b`", None), ("\"$a\"", None),
        ("a*", None), ("~a", None), ("A=b c", None), ("a\\ b", None), ("a #b", None),
    ];
    for (command, want) in rows {
        let want = want.map(|w| w.as_bytes().to_vec());
        assert_eq!(split(command), want, "{command}");
    }
}

proptest! {
    #[test]
    fn arbitrary_files_never_panic(
        contents in proptest::collection::vec(any::<u8>(), 0..200),
        mode in any::<u32>(),
    ) {
        let lines = contents.iter().filter(|&&b| b == b'\n').count() + 1;
        prop_assert!(parse(&contents, mode).len() <= lines);
        let _ = simple_words(&contents);
    }

    #[test]
    fn no_candidate_leads_upwards(ext in proptest::collection::vec(1_u8.., 0..40)) {
        for candidate in candidates(b"-", &ext) {
            prop_assert!(!candidate.name.windows(3).any(|w| w == b"/.."));
            prop_assert!(candidate.name.starts_with(b".qmail-"));
        }
    }
}
