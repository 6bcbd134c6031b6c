//! What a worker process may do once it has loaded what it needs: compute, and talk over the pipes it was given. Nothing else.
//!
//! # Design notes
//! Two locks, neither of which can be opened again. Landlock takes the file system, the network, and signals to other processes away;
//! seccomp takes every system call that is not on a short list. Either would do for sockets and files; they are independent, and a
//! kernel or container runtime may lack one. What is not on the list fails with `EPERM` instead of killing the worker: a library that
//! asks how many processors there are is no attack.
//!
//! Nothing need be opened any more: language data is loaded before, so no path is left open for reading.

use std::{io, os::fd::AsFd, sync::mpsc, thread};

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Signal, getpid, kill_process},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Shuts the worker in. Gives what this kernel has no lock for; it is for the engine to warn of.
pub(super) fn enter() -> Vec<String> {
    let mut missing = Vec::new();
    missing.extend(landlock().err());
    // A thread of its own, made while threads can still be made.
    end_with_the_engine();
    let locked = filter().and_then(|filter| seccompiler::apply_filter_all_threads(&filter).map_err(|error| error.to_string()));
    missing.extend(locked.err().map(|error| format!("seccomp ({error})")));
    missing
}

/// No file, no network, no signal to anything outside, for this thread and those it makes.
fn landlock() -> Result<(), String> {
    const WANTED: ABI = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(WANTED)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(WANTED)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| format!("Landlock ({error})"))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        // An older kernel locks the files, and knows less of network and signals: seccomp has those too.
        RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err("Landlock (Linux 5.13 or later, and not switched off)".to_owned()),
    }
}

/// The calls that reading a document makes.
fn filter() -> Result<BpfProgram, String> {
    let describe = |error: seccompiler::BackendError| error.to_string();
    let mut rules: Vec<(i64, Vec<SeccompRule>)> = FREE.iter().map(|call| (*call, Vec::new())).collect();
    let only = |arguments: &[(u8, u64)]| -> Result<Vec<SeccompRule>, String> {
        let conditions = arguments.iter().map(|(argument, value)| {
            SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *value).map_err(describe)
        });
        Ok(vec![SeccompRule::new(conditions.collect::<Result<_, _>>()?).map_err(describe)?])
    };
    // The CPU limit moves on with each document; no other limit does, and none of another process: a limit of nothing kills it.
    rules.push((libc::SYS_prlimit64, only(&[(0, 0), (1, u64::from(libc::RLIMIT_CPU))])?));
    // To itself, which is how a process aborts.
    let itself = u64::from(std::process::id());
    rules.push((libc::SYS_tgkill, only(&[(0, itself)])?));
    rules.push((libc::SYS_kill, only(&[(0, itself)])?));
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(describe)?;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules.into_iter().collect(), refused, SeccompAction::Allow, target)
        .and_then(BpfProgram::try_from)
        .map_err(describe)
}

const FREE: &[i64] = &[
    // The pipes.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    // Memory.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    // Time, waiting, chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_getrandom,
    // Itself.
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// An engine that was killed closes the pipe and says nothing; a worker busy with a long document ends with it all the same.
fn end_with_the_engine() {
    let (begun, wait_for_it) = mpsc::channel();
    let wait = move || {
        // A thread that is just being made calls what the filter no longer allows.
        begun.send(()).ok();
        end_when_closed(None);
    };
    // Without it the CPU limit ends the worker, a little later.
    if named_thread(wait).is_ok() {
        wait_for_it.recv().ok();
    }
}

/// While it lives, the process ends with the engine. For the time before [`enter`], whose locks a thread made earlier would not have.
pub(super) struct EndsWithTheEngine {
    /// None once it is to stop.
    over: Option<io::PipeWriter>,
    thread: Option<thread::JoinHandle<()>>,
}

impl EndsWithTheEngine {
    pub(super) fn begin() -> io::Result<Self> {
        let (is_over, over) = io::pipe()?;
        let thread = named_thread(move || end_when_closed(Some(is_over)))?;
        Ok(Self { over: Some(over), thread: Some(thread) })
    }
}

impl Drop for EndsWithTheEngine {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn named_thread(body: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("engine-gone".to_owned()).spawn(body)
}

/// Kills this process when standard input is closed at its other end; returns when `is_over` is.
fn end_when_closed(is_over: Option<io::PipeReader>) {
    let input = io::stdin();
    // Asked for nothing, the kernel tells of the other end's closing alone.
    let watched = [Some(input.as_fd()), is_over.as_ref().map(AsFd::as_fd)].into_iter().flatten();
    let mut pipes: Vec<PollFd<'_>> = watched.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::empty())).collect();
    let closed = |pipe: &PollFd<'_>| pipe.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
    loop {
        match poll(&mut pipes, None) {
            Ok(_) if pipes.first().is_some_and(closed) => {
                // At once: an orderly exit would take the recognition's memory away while it runs.
                kill_process(getpid(), Signal::KILL).ok();
                return;
            }
            Ok(_) if pipes.iter().any(closed) => return,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        net::{TcpStream, UdpSocket},
        os::unix::net::UnixDatagram,
        process::Command,
        sync::LazyLock,
    };

    use rustix::process::{Pid, Resource, Rlimit, getppid, getrlimit, prlimit, setrlimit, test_kill_process};

    use super::*;

    /// As it is anyway, so that to set it changes nothing.
    static CORE: LazyLock<Rlimit> = LazyLock::new(|| getrlimit(Resource::Core));
    /// The same of another process's CPU time.
    static PARENT: LazyLock<(Pid, Rlimit)> = LazyLock::new(|| (getppid().unwrap(), getrlimit(Resource::Cpu)));

    /// Runs something in a thread that is shut in: both locks hold for a thread and what it makes.
    fn shut_in<T: Send + 'static>(lock: fn(), act: fn() -> T) -> T {
        LazyLock::force(&CORE);
        LazyLock::force(&PARENT);
        thread::spawn(move || {
            lock();
            act()
        })
        .join()
        .unwrap()
    }

    /// What somebody who has taken a worker over would like to do, and whether it worked.
    fn mischief() -> Vec<&'static str> {
        let mut done = Vec::new();
        let mut tried = |what, worked| {
            if worked {
                done.push(what);
            }
        };
        tried("read a file", fs::read("/etc/passwd").is_ok());
        tried("see whether a file is there", fs::metadata("/etc/passwd").is_ok());
        tried("write a file", tempfile::NamedTempFile::new().is_ok());
        tried("list a folder", fs::read_dir("/").is_ok());
        tried("connect", TcpStream::connect("127.0.0.1:9").is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused));
        tried("open a UDP socket", UdpSocket::bind("127.0.0.1:0").is_ok());
        tried("open a Unix socket", UnixDatagram::unbound().is_ok());
        tried("start a program", Command::new("/bin/true").status().is_ok());
        tried("make a thread", thread::Builder::new().spawn(|| ()).is_ok());
        tried("set a limit", setrlimit(Resource::Core, *CORE).is_ok());
        let (parent, cpu) = *PARENT;
        tried("set a limit of another process", prlimit(Some(parent), Resource::Cpu, cpu).is_ok());
        tried("signal another process", test_kill_process(parent).is_ok());
        done
    }

    #[test]
    fn a_thread_that_is_not_shut_in_can_do_all_of_it() {
        assert_eq!(mischief().len(), 12, "the test tries what works: {:?}", mischief());
    }

    #[test]
    fn seccomp_alone_leaves_nothing_of_it() {
        let lock = || seccompiler::apply_filter(&filter().unwrap()).unwrap();
        assert_eq!(shut_in(lock, mischief), Vec::<&str>::new());
    }

    #[test]
    fn landlock_alone_takes_files_away() {
        /// Where the kernel has none there is nothing to test.
        static HAS_LANDLOCK: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        let lock = || {
            HAS_LANDLOCK.set(landlock().is_ok()).unwrap();
        };
        let left = shut_in(lock, mischief);
        if HAS_LANDLOCK.get() == Some(&true) {
            for what in ["read a file", "write a file", "list a folder", "start a program"] {
                assert!(!left.contains(&what), "{what}");
            }
        }
    }

    #[test]
    fn a_thread_that_is_shut_in_still_computes_and_sees_the_time() {
        let lock = || seccompiler::apply_filter(&filter().unwrap()).unwrap();
        let made = shut_in(lock, || {
            let began = std::time::Instant::now();
            let block = vec![1_u8; 50_000_000];
            (block.iter().map(|byte| u64::from(*byte)).sum::<u64>(), began.elapsed() < std::time::Duration::from_secs(60))
        });
        assert_eq!(made, (50_000_000, true));
    }
}
