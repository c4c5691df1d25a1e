#!/usr/bin/env python3
"""Measures what issue-sized queues cost: listing, starting, memory; and what qmail-inject costs.

usage: bench/queue.sh [--list N] [--memory N] [--inject N] [--dir DIR]

MTA_ORIGINAL_QMAIL names a directory with the original qmail-inject, built for a home that exists;
without it the comparison is left out. Every figure is taken with a warm cache.
"""
import argparse, os, resource, shutil, signal, statistics, subprocess, tempfile, time

BIN = os.environ["BIN"]


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **more)


def home_with(root, count, spool, *how):
    home = f"{root}/home-{spool}-{count}"
    run(f"{BIN}/mtad", "--home", home, "init", "--me", "bench.example", "--spool", spool)
    for name in ["concurrencylocal", "concurrencyremote"]:
        open(f"{home}/control/{name}", "w").write("0\n")
    begun = time.monotonic()
    if spool == "log":
        run(f"{BIN}/fill", f"{home}/queue/log", str(count), "log")
    else:
        run(f"{BIN}/fill", f"{home}/queue", str(count), *how)
    print(f"  {spool}: filled with {count} messages in {time.monotonic() - begun:.0f} s", flush=True)
    return home


def seconds(*words, **more):
    begun = time.monotonic()
    run(*words, **more)
    return time.monotonic() - begun


def pss(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024


def serve(home):
    """Returns how long it takes until the server listens and its engine has taken the queue over, and
    its memory then."""
    begun = time.monotonic()
    server = subprocess.Popen(
        [f"{BIN}/mtad", "--home", home, "serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while "listening" not in server.stdout.readline():
        assert server.poll() is None, "mtad ended"
    listens = time.monotonic() - begun
    # Settled: two looks a second apart find the same.
    before, now = 0, pss(server.pid)
    while before != now:
        time.sleep(1)
        before, now = now, pss(server.pid)
    server.send_signal(signal.SIGTERM)
    server.wait()
    return listens, now


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def inject(root, rounds):
    original = os.environ.get("MTA_ORIGINAL_QMAIL")
    home = f"{root}/inject"
    os.makedirs(home + "/control")
    open(home + "/control/me", "w").write("mx.bench.example\n")
    programs = {"ours": f"{BIN}/qmail-inject"}
    if original:
        programs["original"] = f"{original}/qmail-inject"
    os.path.lexists(programs["ours"]) or os.symlink("qmail", programs["ours"])
    message = f"{root}/message"
    open(message, "w").write("From: me@bench.example\nTo: you@far.example\nSubject: x\n\n" + "body\n" * 800)
    environment = {"MTA_HOME": home, "QMAILQUEUE": f"{BIN}/sink", "PATH": os.environ["PATH"], "USER": "me"}
    cpu = {(name, how): [] for name in programs for how in ["queued", "printed"]}
    for _ in range(5):
        for (name, how), taken in cpu.items():
            words = [programs[name]] + (["-n"] if how == "printed" else [])
            before = children_cpu()
            for _ in range(rounds):
                run(*words, stdin=open(message), env=environment)
            taken.append((children_cpu() - before) / rounds * 1e6)
    for (name, how), taken in cpu.items():
        print(f"  qmail-inject {name}, {how}: {statistics.median(taken):.0f} us CPU a message")
    if not original:
        print("  original: left out, MTA_ORIGINAL_QMAIL is not set")


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--list", type=int, default=100_000)
    words.add_argument("--memory", type=int, default=1_000_000)
    words.add_argument("--inject", type=int, default=200)
    words.add_argument("--dir")
    words = words.parse_args()
    root = tempfile.mkdtemp(prefix="mta-queue-", dir=words.dir)
    try:
        if words.inject:
            inject(root, words.inject)
        empty = serve(home_with(root, 0, "qmail"))
        print(f"  empty queue: listens after {empty[0]:.2f} s, {empty[1] / 1e6:.1f} MB")
        for spool in ["qmail", "log"] if words.list else []:
            home = home_with(root, words.list, spool)
            commands = [[f"{BIN}/mtad", "--home", home, "queue", "list"]]
            if spool == "qmail":
                commands.append([f"{BIN}/qmail", "--home", home, "qmail-qread"])
            for command in commands:
                seconds(*command)
                before = children_cpu()
                best = min(seconds(*command) for _ in range(3))
                cpu = (children_cpu() - before) / 3
                print(f"  {' '.join(command[3:])}: {best:.2f} s, {cpu:.2f} s of CPU")
            listens, memory = min(serve(home) for _ in range(3))
            print(f"  serve: listens after {listens:.2f} s, {(memory - empty[1]) / words.list:.0f} bytes PSS a recipient")
        for spool in ["qmail", "log"] if words.memory else []:
            listens, memory = serve(home_with(root, words.memory, spool, "linked"))
            print(f"  {spool}: {words.memory} messages: listens after {listens:.2f} s, {(memory - empty[1]) / words.memory:.0f} bytes PSS a recipient")
    finally:
        shutil.rmtree(root)


main()
