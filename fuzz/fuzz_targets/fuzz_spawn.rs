//! Commands and reports between qmail-send and its spawners: bounded memory, no report from nowhere (qmail-lspawn(8), qmail-rspawn(8)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::queue::REPORT_MAX;
use mta_core::spawn::{CommandReader, End, FIELD_MAX, ReportReader, encode, local, remote};

fuzz_target!(|data: &[u8]| {
    let (first, second) = data.split_at(data.len() / 2);
    let mut commands = Vec::new();
    CommandReader::default().push(data, &mut |command| commands.push(command));
    let (mut reader, mut cut) = (CommandReader::default(), Vec::new());
    reader.push(first, &mut |command| cut.push(command));
    reader.push(second, &mut |command| cut.push(command));
    assert_eq!(commands, cut);
    for command in commands {
        let longest = command.message.len().max(command.sender.len());
        assert!(longest.max(command.recipient.len()) <= FIELD_MAX);
        if command.check().is_ok() {
            assert!(command.message.iter().all(|b| b.is_ascii_digit() || *b == b'/'));
            let (mut again, bytes) = (Vec::new(), command.encode());
            CommandReader::default().push(&bytes, &mut |command| again.push(command));
            assert_eq!(again, [command]);
        }
    }
    ReportReader::default().push(data, &mut |one| {
        let Some(report) = one.report else {
            return;
        };
        assert!(report.text.len() < REPORT_MAX);
        let mut again = Vec::new();
        ReportReader::default().push(&encode(one.slot, &report), &mut |one| again.push(one));
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].report.as_ref(), Some(&report));
    });
    let code = data.first().copied().map_or(End::Crashed, |b| End::Code(i32::from(b)));
    for report in [local(code, data.to_vec()), remote(End::Code(0), data)] {
        let mut told = Vec::new();
        ReportReader::default().push(&encode(1, &report), &mut |one| told.push(one));
        assert_eq!(told.len(), 1, "a report is one report, whatever a child said");
    }
});
