//! A small model of what each command prescribes, against which long random sessions are judged
//! (RFC 5321 §4.3.2).

use super::config;
use crate::oracle;
use proptest::prelude::*;

const RECIPIENTS: usize = 3;
const ERRORS: u32 = 6;

#[derive(Clone, Debug)]
enum Op {
    Hello,
    Mail,
    MailRefused,
    MailTooBig,
    MailBadParam,
    Rcpt,
    RcptRefused,
    RcptLater,
    Data { good: bool },
    Bdat { last: bool, good: bool },
    Rset,
    Noop,
    Vrfy,
    Help,
    Unknown,
    Unimplemented,
    Overlong,
    BareLf,
    Quit,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Hello),
        8 => Just(Op::Mail),
        1 => Just(Op::MailRefused),
        1 => Just(Op::MailTooBig),
        1 => Just(Op::MailBadParam),
        12 => Just(Op::Rcpt),
        2 => Just(Op::RcptRefused),
        1 => Just(Op::RcptLater),
        6 => any::<bool>().prop_map(|good| Op::Data { good }),
        8 => any::<(bool, bool)>().prop_map(|(last, good)| Op::Bdat { last, good }),
        2 => Just(Op::Rset),
        1 => Just(Op::Noop),
        1 => Just(Op::Vrfy),
        1 => Just(Op::Help),
        1 => Just(Op::Unknown),
        1 => Just(Op::Unimplemented),
        1 => Just(Op::Overlong),
        1 => Just(Op::BareLf),
        1 => Just(Op::Quit),
    ]
}

#[derive(Default)]
struct Transaction {
    recipients: usize,
    excess: usize,
    chunked: bool,
}

/// What a session is in the eyes of somebody who only read the RFCs.
#[derive(Default)]
struct Model {
    input: Vec<u8>,
    codes: Vec<u16>,
    transaction: Option<Transaction>,
    errors: u32,
    over: bool,
}

impl Model {
    fn say(&mut self, line: &str) {
        self.input.extend_from_slice(line.as_bytes());
    }

    fn hear(&mut self, code: u16) {
        self.codes.push(code);
        if code >= 500 {
            self.error();
        }
    }

    fn error(&mut self) {
        self.errors += 1;
        if self.errors >= ERRORS {
            self.codes.push(421);
            self.over = true;
        }
    }

    fn taken(&mut self) {
        self.hear(250);
        self.errors = 0;
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Hello => {
                self.transaction = None;
                self.simple("EHLO c\r\n", 250);
            }
            Op::Mail => {
                let code = if self.transaction.is_some() { 503 } else { 250 };
                self.simple("MAIL FROM:<a@b>\r\n", code);
                self.transaction.get_or_insert_default();
            }
            Op::MailRefused => self.mail("MAIL FROM:<spammer@b>\r\n", 550),
            Op::MailTooBig => self.mail("MAIL FROM:<a@b> SIZE=1001\r\n", 552),
            Op::MailBadParam => self.simple("MAIL FROM:<a@b> X=1\r\n", 555),
            Op::Rcpt => self.rcpt("RCPT TO:<x@y>\r\n", 250),
            Op::RcptRefused => self.rcpt("RCPT TO:<nobody@y>\r\n", 550),
            Op::RcptLater => self.rcpt("RCPT TO:<later@y>\r\n", 451),
            Op::Data { good } => self.data(*good),
            Op::Bdat { last, good } => self.bdat(*last, *good),
            Op::Rset => {
                self.transaction = None;
                self.simple("RSET\r\n", 250);
            }
            Op::Noop => self.simple("NOOP\r\n", 250),
            Op::Vrfy => self.simple("VRFY x\r\n", 252),
            Op::Help => self.simple("HELP\r\n", 214),
            Op::Unknown => self.simple("XYZZY\r\n", 500),
            Op::Unimplemented => self.simple("TURN\r\n", 502),
            Op::Overlong => self.simple(&format!("NOOP {}\r\n", "x".repeat(3000)), 500),
            Op::BareLf => self.simple("NOOP\n", 500),
            Op::Quit => {
                self.simple("QUIT\r\n", 221);
                self.over = true;
            }
        }
    }

    fn simple(&mut self, line: &str, code: u16) {
        self.say(line);
        self.hear(code);
    }

    fn mail(&mut self, line: &str, code: u16) {
        let code = if self.transaction.is_some() {
            503
        } else {
            code
        };
        self.simple(line, code);
    }

    fn rcpt(&mut self, line: &str, code: u16) {
        self.say(line);
        match &mut self.transaction {
            None => self.hear(503),
            Some(transaction) if transaction.chunked => self.hear(503),
            Some(transaction) if transaction.recipients == RECIPIENTS => {
                transaction.excess += 1;
                let flood = transaction.excess > RECIPIENTS;
                self.hear(452);
                if flood {
                    self.error();
                }
            }
            Some(transaction) => {
                transaction.recipients += usize::from(code == 250);
                self.hear(code);
            }
        }
    }

    fn data(&mut self, good: bool) {
        self.say("DATA\r\n");
        let begun = self.transaction.as_ref();
        if begun.is_none_or(|t| t.recipients == 0 || t.chunked) {
            self.hear(503);
            return;
        }
        self.transaction = None;
        self.hear(354);
        if good {
            self.say("a: b\r\n\r\n..\r\n.\r\n");
            self.taken();
        } else {
            self.say("a: b\r\n\r\n\0\r\n.\r\n");
            self.hear(554);
        }
    }

    fn bdat(&mut self, last: bool, good: bool) {
        let marker = if last { " LAST" } else { "" };
        let text = if good { "a: b\r\n" } else { "a:\nb\r\n" };
        self.say(&format!("BDAT {}{marker}\r\n{text}", text.len()));
        match &mut self.transaction {
            Some(transaction) if transaction.recipients > 0 => transaction.chunked = true,
            _ => return self.hear(503),
        }
        match (good, last) {
            (false, _) => {
                self.transaction = None;
                self.hear(554);
            }
            (true, true) => {
                self.transaction = None;
                self.taken();
            }
            (true, false) => self.hear(250),
        }
    }
}

proptest! {
    #[test]
    fn every_command_gets_the_replies_it_prescribes_in_order(
        ops in prop::collection::vec(op(), 0..80),
        open_questions in 1_usize..5,
        cut in 1_usize..200,
    ) {
        let mut model = Model { codes: vec![220], ..Model::default() };
        for op in &ops {
            if model.over {
                break;
            }
            model.apply(op);
        }
        let config = config(|config| {
            config.limits.recipients = RECIPIENTS;
            config.limits.errors = ERRORS;
            config.limits.message_size = 1000;
            config.limits.open_questions = open_questions;
        });
        let trace = oracle::check(&config, &model.input, &[cut]);
        prop_assert_eq!(trace.codes(), model.codes);
    }
}
