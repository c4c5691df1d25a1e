//! The server list and the cache (resolv.conf(5), RFC 2308).

use super::*;
use mta_proto::dns::{Cache, CacheLimits};

#[test]
fn resolv_conf_is_read_as_the_table_says() {
    let rows = [
        ("empty", "", "127.0.0.1:53", 5, 2, false),
        ("one", "nameserver 192.0.2.1\n", "192.0.2.1:53", 5, 2, false),
        (
            "two families, comments and blanks",
            "# hi\n; ho\n\tnameserver  192.0.2.1 # mine\r\n nameserver 2001:db8::1\n",
            "192.0.2.1:53 [2001:db8::1]:53",
            5,
            2,
            false,
        ),
        (
            "at most three",
            "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
            "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53",
            5,
            2,
            false,
        ),
        (
            "options",
            "nameserver 192.0.2.1\nsearch example.org\noptions ndots:2 timeout:1 attempts:4 rotate edns0\n",
            "192.0.2.1:53",
            1,
            4,
            true,
        ),
        (
            "options out of range",
            "options timeout:200 attempts:0\n",
            "127.0.0.1:53",
            30,
            1,
            false,
        ),
        (
            "nonsense",
            "nameserver\nnameserver x\noptions timeout:x\nfoo bar\n",
            "127.0.0.1:53",
            5,
            2,
            false,
        ),
    ];
    for (row, text, addresses, timeout, attempts, rotate) in rows {
        let list = ServerList::from_resolv_conf(text);
        let shown: Vec<_> = list.servers().iter().map(ToString::to_string).collect();
        assert_eq!(shown.join(" "), addresses, "{row}");
        assert_eq!(list.timeout.as_secs(), timeout, "{row}");
        assert_eq!((list.attempts, list.rotate), (attempts, rotate), "{row}");
    }
    let list = servers(3);
    assert_eq!(list.position(list.servers()[2]), Some(2));
    assert_eq!(list.position(SocketAddr::from(([192, 0, 2, 1], 53))), None);
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_cache_gives_what_is_fresh_and_nothing_else() {
    let mut cache = Cache::new(CacheLimits::default());
    let rows = [
        ("records", Answer::Records(vec![ip(1)]), 10, true),
        ("no data", Answer::NoData, 10, true),
        ("no name", Answer::NoName, 10, true),
        ("failure", Answer::Failed("x".into()), 10, false),
        ("no time", Answer::NoData, 0, false),
    ];
    for (row, answer, ttl, kept) in rows {
        let question = query(row, Kind::A);
        cache.put(question.clone(), answer.clone(), seconds(ttl), Mono::ZERO);
        let wanted = kept.then_some(answer);
        assert_eq!(
            cache.get(&question, Mono::ZERO + seconds(9)),
            wanted,
            "{row}"
        );
        assert_eq!(
            cache.get(&question, Mono::ZERO + seconds(10)),
            None,
            "{row}"
        );
        assert_eq!(cache.get(&query(row, Kind::Mx), Mono::ZERO), None, "{row}");
    }
    cache.clear();
    assert_eq!((cache.len(), cache.bytes()), (0, 0));
}

#[test]
fn a_full_cache_drops_what_expires_first() {
    let limits = CacheLimits {
        entries: 3,
        bytes: 100_000,
    };
    let mut cache = Cache::new(limits);
    for (text, ttl) in [("a", 30), ("b", 10), ("c", 20), ("d", 40)] {
        cache.put(
            query(text, Kind::A),
            Answer::NoData,
            seconds(ttl),
            Mono::ZERO,
        );
    }
    let left: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .filter(|text| cache.get(&query(text, Kind::A), Mono::ZERO).is_some())
        .collect();
    assert_eq!(left, ["a", "c", "d"]);
    cache.put(query("a", Kind::A), Answer::NoName, seconds(5), Mono::ZERO);
    assert_eq!(
        cache.len(),
        3,
        "an answer takes the place of its predecessor"
    );
    assert_eq!(
        cache.get(&query("a", Kind::A), Mono::ZERO),
        Some(Answer::NoName)
    );
}

#[test]
fn a_cache_never_passes_its_bytes() {
    let limits = CacheLimits {
        entries: 1_000_000,
        bytes: 20_000,
    };
    let mut cache = Cache::new(limits);
    for n in 0..1000_u64 {
        let text = Record::Txt(vec![b'x'; (n as usize * 37) % 3000]);
        let question = query(&format!("n{n}"), Kind::Txt);
        cache.put(
            question,
            Answer::Records(vec![text]),
            seconds(1 + n % 7),
            Mono::ZERO,
        );
        assert!(cache.bytes() <= 20_000);
    }
    assert!(cache.len() > 3);
    let huge = Answer::Records(vec![Record::Txt(vec![0; 30_000])]);
    cache.put(query("huge", Kind::Txt), huge, seconds(9), Mono::ZERO);
    assert_eq!(cache.get(&query("huge", Kind::Txt), Mono::ZERO), None);
    assert!(cache.len() > 3, "what is too big displaces nothing");
}
