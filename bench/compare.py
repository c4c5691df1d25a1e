#!/usr/bin/env python3
"""Measures mtad, postfix and dovecot side by side on loopback and prints medians and ratios.

Servers run with private configurations in one temporary directory, so all share one disk. Rounds
alternate between the servers, so that other load on the machine falls on all of them alike.
"""
import argparse, json, os, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

PASSWORD = "bench password"
# The same password as crypt(3) writes it with MD5, which both servers verify in under a millisecond.
CHEAP = subprocess.run(["openssl", "passwd", "-1", "-salt", "benchsal", PASSWORD], capture_output=True, text=True, check=True).stdout.strip()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                if s.recv(1):
                    return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing answers on port {port}")


def load(*words):
    out = subprocess.run([os.environ["LOAD"], *map(str, words)], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def count(folder):
    return len(os.listdir(folder + "/new")) + len(os.listdir(folder + "/cur"))


def until_count(folder, wanted, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if count(folder) >= wanted:
            return
        time.sleep(0.01)
    sys.exit(f"{folder}: {count(folder)} of {wanted} messages after {seconds} s")


class Mtad:
    name = "mtad"

    def __init__(self, root, hold=False, route=None, crypt=None):
        self.home = root + "/mtad" + ("-hold" if hold else "") + ("-relay" if route else "")
        run = lambda *a, text="": subprocess.run(
            [os.environ["MTAD"], *a, "--home", self.home], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
        run("init", "--me", "bench.example")
        run("domain", "add", "bench.example")
        run("user", "add", "load@bench.example", "--password-stdin", text=PASSWORD + "\n")
        control = lambda name, text: open(f"{self.home}/control/{name}", "w").write(text)
        control("concurrencylocal", "0\n" if hold else "20\n")
        if route:
            control("smtproutes", f":127.0.0.1:{route}\n")
        config = self.home + "/mtad.toml"
        old = open(config).read() if os.path.exists(config) else ""
        keep = "[auth]\nrehash = false\n" if crypt else ""
        open(config, "w").write('relay_from = ["127.0.0.0/8"]\n' + keep + old)
        if crypt:
            self.store(crypt)
        self.smtp, self.pop3, self.smtps = free_port(), free_port(), free_port()
        self.process = subprocess.Popen(
            [os.environ["MTAD"], "serve", "--home", self.home, "--smtp", f"127.0.0.1:{self.smtp}", "--pop3", f"127.0.0.1:{self.pop3}", "--smtps", f"127.0.0.1:{self.smtps}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.smtp)
        line = next(l for l in open(f"{self.home}/domains/bench.example/vpasswd") if l.startswith("load:"))
        self.maildir = line.split(":")[5] + "/Maildir"
        self.pids = [self.process.pid]

    def store(self, crypt):
        """Replaces the password's string; the look-up makes the cdb anew."""
        domain = self.home + "/domains/bench.example"
        lines = [line.split(":") for line in open(domain + "/vpasswd")]
        text = "".join(":".join([l[0], crypt, *l[2:7]]).rstrip("\n") + "\n" if l[0] == "load" else ":".join(l) for l in lines)
        open(domain + "/vpasswd", "w").write(text)
        if os.path.exists(domain + "/vpasswd.cdb"):
            os.remove(domain + "/vpasswd.cdb")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


MAIN_CF = """compatibility_level = 3.6
queue_directory = {d}/spool
data_directory = {d}/data
mail_owner = postfix
setgid_group = postdrop
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = bench.example
mydestination =
virtual_mailbox_domains = bench.example
virtual_mailbox_base = {d}/mail
virtual_mailbox_maps = static:load/Maildir/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_mailbox_limit = 0
alias_maps =
alias_database =
relayhost = {relay}
default_process_limit = 100
smtpd_client_connection_count_limit = 0
smtpd_recipient_limit = 1000
maillog_file_prefixes = {d}
maillog_file = {d}/maillog
smtpd_recipient_restrictions = {hold}permit_mynetworks, reject
smtp_tls_security_level = none
smtpd_tls_security_level = none
"""


class Postfix:
    name = "postfix"

    def __init__(self, root, hold=False, route=None):
        d = self.dir = root + "/postfix" + ("-hold" if hold else "") + ("-relay" if route else "")
        os.makedirs(d + "/etc")
        os.makedirs(d + "/mail")
        os.makedirs(d + "/spool")
        os.makedirs(d + "/data")
        shutil.chown(d + "/data", "postfix")
        uid = 65534
        os.makedirs(d + "/mail/load/Maildir")
        for sub in ("tmp", "new", "cur"):
            os.makedirs(f"{d}/mail/load/Maildir/{sub}")
        subprocess.run(["chown", "-R", str(uid), d + "/mail"], check=True)
        self.maildir = d + "/mail/load/Maildir"
        self.smtp = free_port()
        relay = f"[127.0.0.1]:{route}" if route else ""
        open(d + "/etc/main.cf", "w").write(MAIN_CF.format(d=d, uid=uid, relay=relay, hold="check_client_access static:HOLD, " if hold else ""))
        lines = []
        for line in open("/usr/share/postfix/master.cf.dist"):
            words = line.split()
            if line[0] in "# \t\n" or len(words) < 8:
                continue
            if words[:2] == ["smtp", "inet"]:
                words[0] = str(self.smtp)
            words[4] = "n"
            lines.append(" ".join(words))
        open(d + "/etc/master.cf", "w").write("\n".join(lines) + "\n")
        env = dict(os.environ, MAIL_CONFIG=d + "/etc")
        subprocess.run(["postfix", "-c", d + "/etc", "start"], check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.smtp)
        self.pids = [int(open(d + "/spool/pid/master.pid").read())]

    def stop(self):
        subprocess.run(["postfix", "-c", self.dir + "/etc", "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Dovecot:
    name = "dovecot"

    def __init__(self, root, maildir):
        d = self.dir = root + "/dovecot"
        os.makedirs(d)
        self.pop3 = free_port()
        uid = os.stat(maildir).st_uid
        home = d + "/load"
        os.makedirs(home)
        shutil.copytree(maildir, home + "/Maildir")
        subprocess.run(["chown", "-R", f"{uid or 65534}", home], check=True)
        open(d + "/passwd", "w").write(f"load@bench.example:{{MD5-CRYPT}}{CHEAP}:{uid or 65534}:{uid or 65534}::{home}::\n")
        open(d + "/dovecot.conf", "w").write(f"""base_dir = {d}/run
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
log_path = {d}/log
mail_location = maildir:~/Maildir
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = scheme=MD5-CRYPT username_format=%u {d}/passwd
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {d}/passwd
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
mail_max_userip_connections = 1000
""")
        subprocess.run(["dovecot", "-c", d + "/dovecot.conf"], check=True)
        wait_for(self.pop3)

    def stop(self):
        subprocess.run(["doveadm", "-c", self.dir + "/dovecot.conf", "stop"], stdout=subprocess.DEVNULL)


class Ceiling:
    """The queue's own file calls without any SMTP."""
    name = "ceiling"

    def __init__(self, root):
        self.dir = root + "/ceiling"

    def rate(self, clients, total, size):
        words = [os.environ["CEILING"], self.dir, clients, total, size]
        out = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
        return json.loads(out.stdout)["rate"]


def cpu(pids):
    """CPU seconds of processes, their threads and children, dead ones included."""
    total = 0.0
    for pid in pids:
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            for task in os.listdir(f"/proc/{pid}/task"):
                total += cpu(map(int, open(f"/proc/{pid}/task/{task}/children").read().split()))
        except OSError:
            pass
    return total


def rounds(servers, reps, work):
    """Median of `work(server)` for each server, rounds alternating."""
    results = {s.name: [] for s in servers}
    for _ in range(reps):
        for server in servers:
            results[server.name].append(work(server))
    return {name: statistics.median(values) for name, values in results.items()}


def row(what, results, ours="mtad", unit="msg/s"):
    parts = [f"{name} {value:.0f}" for name, value in results.items()]
    for name, value in results.items():
        if name != ours and value:
            parts.append(f"{results[ours] / value:.2f}x {name}")
    print(f"{what:<48} {unit}: " + ", ".join(parts), flush=True)


def intake(args, root):
    servers = [Mtad(root, hold=True), Postfix(root, hold=True)]
    try:
        for clients, total, mode, size in [(1, 300, "keep", 4096), (10, 1500, "keep", 4096), (50, 3000, "keep", 4096), (10, 1000, "new", 4096), (10, 500, "keep", 102400)]:
            def work(server):
                if server.name == "ceiling":
                    return server.rate(clients, total, size)
                return load("smtp", f"127.0.0.1:{server.smtp}", clients, total, size, mode, "a@client.example", "load@bench.example")["rate"]

            results = rounds([*servers, Ceiling(root)], args.reps, work)
            row(f"intake {size // 1024} KiB, {clients} clients, {mode}", results)
        costs = {}
        for s in servers:
            before = cpu(s.pids)
            load("smtp", f"127.0.0.1:{s.smtp}", 10, 2000, 4096, "keep", "a@client.example", "load@bench.example")
            costs[s.name] = (cpu(s.pids) - before) / 2000 * 1e6
        row("server CPU a message, 4 KiB, 10 clients, keep", costs, unit="us")
    finally:
        for s in servers:
            s.stop()


def delivery(args, root):
    servers = [Mtad(root), Postfix(root)]

    def work(server):
        before, begin = count(server.maildir), time.monotonic()
        load("smtp", f"127.0.0.1:{server.smtp}", 10, 1000, 4096, "keep", "a@client.example", "load@bench.example")
        until_count(server.maildir, before + 1000)
        return 1000 / (time.monotonic() - begin)

    try:
        row("accept to Maildir 4 KiB, 10 clients, keep", rounds(servers, args.reps, work))
    finally:
        for s in servers:
            s.stop()


def relay(args, root):
    sink_port = free_port()
    sink = subprocess.Popen(["smtp-sink", "-u", "nobody", f"127.0.0.1:{sink_port}", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(sink_port)
    servers = [Mtad(root, route=sink_port), Postfix(root, route=sink_port)]

    def queued(server):
        if server.name == "mtad":
            return len(subprocess.run([os.environ["MTAD"], "queue", "list", "--home", server.home], capture_output=True, check=True).stdout)
        return sum(len(f) for sub in ("incoming", "active", "deferred", "maildrop") for _, _, f in os.walk(f"{server.dir}/spool/{sub}"))

    def work(server):
        begin = time.monotonic()
        load("smtp", f"127.0.0.1:{server.smtp}", 10, 1000, 4096, "keep", "a@client.example", "you@far.example")
        while queued(server):
            time.sleep(0.01)
        return 1000 / (time.monotonic() - begin)

    try:
        row("relay to smtp-sink 4 KiB, 10 clients, keep", rounds(servers, args.reps, work))
    finally:
        for s in servers:
            s.stop()
        sink.kill()


def fill(maildir, messages):
    """Messages of 4 KiB as both servers deliver them: their sizes stand in the names."""
    for n in range(messages):
        text = f"From: <a@client.example>\nTo: <load@bench.example>\nSubject: {n}\n\n" + ("x" * 76 + "\n") * 52
        size, wire = len(text), len(text) + text.count("\n")
        with open(f"{maildir}/cur/{1700000000 + n}.P1Q{n}.bench.example,S={size},W={wire}:2,S", "w") as file:
            file.write(text)


def pop3(args, root):
    """The second pass counts: by then both have seen the Maildir, and Dovecot has its index."""
    mtad = Mtad(root, crypt=CHEAP)
    try:
        fill(mtad.maildir, args.messages)
        servers = [mtad, Dovecot(root, mtad.maildir)]
        try:
            for what, total, mode in [("RETR all", 1, "all"), ("login + STAT", 100, "login")]:
                def work(server):
                    # Not even a directory that has just been changed is looked at as if it were new.
                    time.sleep(3)
                    return load("pop3", f"127.0.0.1:{server.pop3}", 1, total, "load@bench.example", PASSWORD, mode)["rate"]

                rounds(servers, 1, work)
                row(f"POP3 {what}, {args.messages} messages", rounds(servers, args.reps, work), unit="/s")
        finally:
            servers[1].stop()
    finally:
        mtad.stop()


class Bare:
    """rustls and nothing else, with the certificate of mtad."""
    name = "rustls"

    def __init__(self, home):
        self.smtps = free_port()
        words = [os.environ["HANDSHAKES"], "serve", str(self.smtps), home + "/control/servercert.pem", str(os.cpu_count())]
        self.process = subprocess.Popen(words)
        self.pids = [self.process.pid]

    def stop(self):
        self.process.kill()
        self.process.wait()


def handshakes(args, root):
    mtad = Mtad(root)
    bare = Bare(mtad.home)
    servers = [mtad, bare]
    costs = {s.name: [] for s in servers}

    def work(server):
        before = cpu(server.pids)
        words = [os.environ["HANDSHAKES"], "load", f"127.0.0.1:{server.smtps}", "4", "2000"]
        out = subprocess.run(words, capture_output=True, text=True, check=True)
        costs[server.name].append((cpu(server.pids) - before) / 2000 * 1e6)
        return json.loads(out.stdout)["rate"]

    try:
        time.sleep(1)
        row("TLS handshakes, 4 clients, nothing resumed", rounds(servers, args.reps, work), unit="/s")
        row("server CPU a handshake", {name: statistics.median(values) for name, values in costs.items()}, unit="us")
    finally:
        for s in servers:
            s.stop()


def pss(pid):
    return next(int(l.split()[1]) for l in open(f"/proc/{pid}/smaps_rollup") if l.startswith("Pss:"))


def idle(args, root):
    mtad = Mtad(root, hold=True)
    held = []
    try:
        def hold(n):
            while len(held) < n:
                s = socket.create_connection(("127.0.0.1", mtad.smtp))
                s.recv(512)
                s.sendall(b"EHLO idle.example\r\n")
                s.recv(2048)
                held.append(s)
        hold(100)
        before = pss(mtad.process.pid)
        hold(900)
        grown = pss(mtad.process.pid) - before
        print(f"{'idle SMTP connection, 800 held':<48} PSS growth: {grown / 800:.2f} KiB each", flush=True)
    finally:
        for s in held:
            s.close()
        mtad.stop()


def main():
    parts = {"intake": intake, "delivery": delivery, "relay": relay, "pop3": pop3, "handshakes": handshakes, "idle": idle}
    parser = argparse.ArgumentParser()
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--dir", default="target")
    parser.add_argument("--only", default=",".join(parts))
    parser.add_argument("--messages", type=int, default=2000)
    args = parser.parse_args()
    for name in args.only.split(","):
        root = tempfile.mkdtemp(prefix="mta-bench-", dir=os.path.abspath(args.dir))
        os.chmod(root, 0o755)
        try:
            parts[name](args, root)
        finally:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
