//! How much memory queries may use: what `--memory-limit` says, by default a share of the machine's.

use std::fs::read_to_string;

/// Of the machine's memory, or of what a container may use of it; the rest is for file caches and what is not counted.
const SHARE: u64 = 60;

/// `2GB`, `512MiB`, `1.5 G` or a share such as `50%` of the machine's memory, in bytes.
pub fn size(text: &str) -> Result<usize, String> {
    let valid = || format!("'{text}' is no size such as 2GB, 512MB or 50%");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| valid())?;
    let unit = text[digits..].trim().to_ascii_lowercase();
    let bytes = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "%" => of_machine().ok_or("this machine does not tell its memory: give a size such as 2GB")? as f64 / 100.0,
        "" => 1.0,
        "k" => 1024.0,
        "m" => 1024.0 * 1024.0,
        "g" => 1024.0 * 1024.0 * 1024.0,
        "t" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(valid()),
    };
    match (number * bytes) as usize {
        0 => Err(valid()),
        bytes => Ok(bytes),
    }
}

/// None where the machine does not tell how much it has.
pub fn default() -> Option<usize> {
    Some((of_machine()? * SHARE / 100) as usize)
}

fn of_machine() -> Option<u64> {
    let total = read_to_string("/proc/meminfo").ok()?;
    let kibibytes: u64 = total.lines().next()?.split_whitespace().nth(1)?.parse().ok()?;
    // Of a container; "max" where it has no limit.
    let limit = read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|limit| limit.trim().parse().ok());
    Some(limit.unwrap_or(u64::MAX).min(kibibytes * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("2GB", 2 << 30), ("512MiB", 512 << 20), ("1.5 g", 3 << 29), ("64k", 64 << 10), ("7", 7)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GB", "2 potatoes", "-1GB", "0", "0GB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_of_the_machine() {
        assert_eq!(size("50%").ok(), of_machine().map(|bytes| (bytes / 2) as usize));
    }
}
