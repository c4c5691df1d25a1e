//! A domain of 100,000 mailboxes: how long one is looked for, and what adding one more takes (vchkpw(8), vadduser(8)).

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a measuring tool: it stops with what went wrong; criterion's macros document nothing"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use mta_auth::vpopmail::{Layout, NewUser, Vpopmail};
use mta_auth::{DomainName, MailboxName};
use mta_store::files::RealFiles;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const USERS: u32 = 100_000;
const CRYPT: &str = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1";

fn domain() -> DomainName {
    DomainName::parse(b"example.org").unwrap()
}

/// The domain with its mailboxes, of which only the account file knows: a look-up opens no home.
fn filled(home: &Path) -> Vpopmail<RealFiles> {
    for part in ["control", "users"] {
        std::fs::create_dir_all(home.join(part)).unwrap();
    }
    let layout = Layout::in_one(home, (89, 89));
    let accounts = Vpopmail::new(Arc::new(RealFiles::new()), layout);
    accounts.add_domain(&domain(), CRYPT).unwrap();
    let dir = home.join("domains/example.org");
    let path = dir.join("vpasswd");
    let postmaster = std::fs::read_to_string(&path).unwrap();
    let mut text = String::new();
    for n in 0..USERS {
        let home = dir.join(format!("x/joe{n:06}"));
        let home = home.display();
        writeln!(text, "joe{n:06}:{CRYPT}:1:0:Joe {n}:{home}:NOQUOTA").unwrap();
    }
    std::fs::write(path, text + &postmaster).unwrap();
    let found = accounts.domain("example.org").unwrap().unwrap();
    accounts.rebuild(&found).unwrap();
    accounts
}

fn look_up(c: &mut Criterion, accounts: &Vpopmail<RealFiles>) {
    let mut group = c.benchmark_group("100000 mailboxes");
    let names: Vec<String> = (0..USERS)
        .step_by(997)
        .map(|n| format!("joe{n:06}"))
        .collect();
    let mut next = names.iter().cycle();
    group.bench_function("look-up of one that is there", |b| {
        b.iter(|| {
            let name = next.next().unwrap();
            black_box(accounts.find(name, "example.org").unwrap().unwrap())
        });
    });
    group.bench_function("look-up of one that is not", |b| {
        b.iter(|| black_box(accounts.find("nobody", "example.org").unwrap()));
    });
    group.finish();
}

fn add(c: &mut Criterion, accounts: &Vpopmail<RealFiles>, name: &str) {
    let mut group = c.benchmark_group("100000 mailboxes");
    group.sample_size(10);
    let mut number = 0_u32;
    group.bench_function(name, |b| {
        b.iter(|| {
            number += 1;
            let user = MailboxName::parse(format!("new{number:06}").as_bytes()).unwrap();
            let user = NewUser::new(user, CRYPT.to_owned());
            accounts.add_user(&domain(), &user).unwrap();
        });
    });
    group.finish();
}

fn accounts(c: &mut Criterion) {
    let places: [(&str, PathBuf); 2] = [
        ("one more, synced to disk", std::env::temp_dir()),
        ("one more, without a disk", PathBuf::from("/dev/shm")),
    ];
    for (name, place) in places.into_iter().filter(|(_, place)| place.is_dir()) {
        let home = place.join(format!("mta-bench-accounts-{}", std::process::id()));
        let filled = filled(&home);
        if name.ends_with("disk") && name.contains("synced") {
            look_up(c, &filled);
        }
        add(c, &filled, name);
        std::fs::remove_dir_all(home).unwrap();
    }
}

criterion_group!(all, accounts);
criterion_main!(all);
