//! Paths of `pathlib`, from the parts that the pickle holds.

/// Whose rules a path follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    Posix,
    Windows,
}

impl Flavor {
    /// The text of a path of these parts, as `str(path)` gives it: a part with a root starts over,
    /// empty and `.` segments vanish.
    pub(crate) fn join<'p>(self, parts: impl IntoIterator<Item = &'p str>) -> String {
        let mut anchor = String::new();
        let mut segments: Vec<&str> = Vec::new();
        for part in parts {
            let (own_anchor, rest) = self.split_anchor(part);
            if !own_anchor.is_empty() {
                anchor = own_anchor;
                segments.clear();
            }
            segments.extend(rest.split(|c| self.separates(c)).filter(|s| !s.is_empty() && *s != "."));
        }
        let path = anchor + &segments.join(self.separator());
        if path.is_empty() { ".".into() } else { path }
    }

    fn separator(self) -> &'static str {
        match self {
            Self::Posix => "/",
            Self::Windows => "\\",
        }
    }

    fn separates(self, c: char) -> bool {
        c == '/' || (self == Self::Windows && c == '\\')
    }

    /// Drive and root in normal form, and what follows them.
    fn split_anchor(self, part: &str) -> (String, &str) {
        let drive = match self {
            Self::Windows if part.as_bytes().get(1) == Some(&b':') && part.is_char_boundary(1) => &part[..2],
            Self::Windows if part.starts_with("\\\\") => return self.split_share(part),
            _ => "",
        };
        let rest = &part[drive.len()..];
        let root = if rest.starts_with(|c| self.separates(c)) {
            self.separator()
        } else {
            ""
        };
        // POSIX gives exactly two leading slashes a meaning of their own, and pathlib keeps them.
        let double = self == Self::Posix && rest.starts_with("//") && !rest.starts_with("///");
        (if double { "//".into() } else { format!("{drive}{root}") }, rest)
    }

    /// `\\server\share\`, the root of a network path.
    fn split_share(self, part: &str) -> (String, &str) {
        let mut names = part[2..].splitn(3, '\\');
        let (server, share) = (names.next().unwrap_or(""), names.next().unwrap_or(""));
        (format!("\\\\{server}\\{share}\\"), names.next().unwrap_or(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected texts are those of `pathlib`.
    #[test]
    fn paths_join_as_pathlib_joins_them() {
        let cases: [(&[&str], &str); 8] = [
            (&["/", "a", "b"], "/a/b"),
            (&["/a/b", "c"], "/a/b/c"),
            (&["a", "/b", "c"], "/b/c"),
            (&["a//b/./c/"], "a/b/c"),
            (&[], "."),
            (&["."], "."),
            (&["//host/x"], "//host/x"),
            (&["..", "é"], "../é"),
        ];
        for (parts, expected) in cases {
            assert_eq!(Flavor::Posix.join(parts.iter().copied()), expected, "{parts:?}");
        }
    }

    #[test]
    fn windows_paths_keep_their_drive() {
        let cases: [(&[&str], &str); 5] = [
            (&["C:\\", "a", "b"], "C:\\a\\b"),
            (&["c:/a/b"], "c:\\a\\b"),
            (&["a", "D:\\b"], "D:\\b"),
            (&["\\\\srv\\share\\", "x"], "\\\\srv\\share\\x"),
            (&["é"], "é"),
        ];
        for (parts, expected) in cases {
            assert_eq!(Flavor::Windows.join(parts.iter().copied()), expected, "{parts:?}");
        }
    }
}
