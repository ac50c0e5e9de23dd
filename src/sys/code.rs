//! Whether an address may be called.

use std::fs;

/// Whether `address` lies in memory that this process may execute. Where /proc is missing the answer is yes:
/// the caller's word then has to do.
pub(crate) fn is_executable(address: usize) -> bool {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return true };
    maps.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        let Some((from, to)) = fields.next().and_then(|range| range.split_once('-')) else { return false };
        let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)) else {
            return false;
        };
        (from..to).contains(&address)
            && fields.next().is_some_and(|rights| rights.as_bytes().get(2) == Some(&b'x'))
    })
}

/// The file that is mapped at `address`, where it was: it may be gone, or another have its place.
pub(crate) fn file_at(address: usize) -> Option<Vec<u8>> {
    let maps = fs::read("/proc/self/maps").ok()?;
    maps.split(|&b| b == b'\n').find_map(|line| {
        let (from, to) = std::str::from_utf8(line.split(|&b| b == b' ').next()?).ok()?.split_once('-')?;
        let range = usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?;
        // The first slash begins the path: nothing before it has one.
        let path = line.iter().position(|&b| b == b'/')?;
        let path = line[path..].strip_suffix(b" (deleted)").unwrap_or(&line[path..]);
        range.contains(&address).then(|| path.to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_and_data_is_not() {
        static DATA: u64 = 7;
        assert!(is_executable(is_executable as fn(usize) -> bool as usize));
        assert!(!is_executable(&raw const DATA as usize));
        assert!(!is_executable(0));
        assert!(!is_executable(usize::MAX));
    }

    #[test]
    fn code_lies_in_a_file() {
        let file = file_at(file_at as fn(usize) -> Option<Vec<u8>> as usize).unwrap();
        assert_eq!(fs::canonicalize("/proc/self/exe").unwrap().as_os_str().as_encoded_bytes(), file);
        assert_eq!(file_at(0), None);
    }
}
