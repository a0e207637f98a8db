//! CPU seconds, from /proc: of a process, of a process with all its children, and of the whole machine.
//!
//! What others use meanwhile is measured too: a figure taken beside a build is worth less, and says so.

use std::fs::read_to_string;

/// /proc counts in hundredths of a second on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used, and its children: those that ended and were waited for, and those that run.
pub fn of_tree(pid: u32) -> f64 {
    let running = read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: f64 = running.split_whitespace().filter_map(|pid| pid.parse().ok()).map(of_tree).sum();
    fields(pid).iter().sum::<f64>() / TICKS_PER_SECOND + children
}

/// What this process has used itself: its children are what is measured.
pub fn of_self() -> f64 {
    fields(std::process::id())[..2].iter().sum::<f64>() / TICKS_PER_SECOND
}

/// utime, stime, cutime, cstime.
fn fields(pid: u32) -> [f64; 4] {
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; what follows are numbers.
    let numbers = stat.rsplit_once(") ").map_or("", |(_, numbers)| numbers);
    let mut words = numbers.split(' ').skip(11).map(|word| word.parse().unwrap_or(0.0));
    std::array::from_fn(|_| words.next().unwrap_or(0.0))
}

/// What the whole machine has used, without what its host took away.
pub fn of_machine() -> f64 {
    let stat = read_to_string("/proc/stat").unwrap_or_default();
    let first = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = first.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    [0, 1, 2, 5, 6].iter().filter_map(|n| ticks.get(*n)).sum::<f64>() / TICKS_PER_SECOND
}

/// How many cores there are.
pub fn cores() -> std::io::Result<f64> {
    std::thread::available_parallelism().map(|cores| cores.get() as f64)
}
