//! vipmap: leads names without a domain to one by the address that was connected to (vipmap(8), spec §2).

use crate::address;
use crate::failure::Failure;
use crate::io::Io;
use crate::options::{Options, Usage};
use applet::Exit;
use std::io::Write;
use std::net::IpAddr;

const USAGE: Usage = Usage {
    program: "vipmap",
    letters: "vpda",
    text: "vipmap: usage: [options] ip domain
options: -d delete mapping
         -a add mapping
         -p print mapping
         -v show version
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let accounts = io.accounts()?;
    if !accounts.settings()?.ip_alias_domains {
        let text = "IP aliases are not in use: expected ip-alias-domains=y in etc/vpopmail.conf";
        return Err(Failure::said(0, text));
    }
    if options.has(b'p') {
        for map in accounts.ip_maps()? {
            writeln!(io.output, "{} {}", map.address, map.domain)?;
        }
        return Ok(Exit::OK);
    }
    let (Some(ip), Some(word)) = (options.operand(), options.operand()) else {
        return Err(Failure::usage(255, USAGE.text));
    };
    let address: Option<IpAddr> = ip.to_str().and_then(|text| text.parse().ok());
    let Some(address) = address else {
        let shown = ip.display();
        return Err(Failure::said(
            217,
            format_args!("Error: expected an IP address, found {shown}"),
        ));
    };
    let domain = address::domain(&word)?;
    if options.has(b'a') {
        address::real(&accounts, &domain)?;
        accounts.add_ip_map(address.to_canonical(), &domain)?;
    } else if options.has(b'd') {
        accounts.remove_ip_map(address.to_canonical(), &domain)?;
    } else {
        return Err(Failure::usage(255, USAGE.text));
    }
    Ok(Exit::OK)
}
