//! Where programming and markup languages begin something new.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// What ends most tables: blank lines, lines, words, characters.
const COMMON: &[&str] = &["\n\n", "\n", " ", ""];

/// A language's separators as regular expressions.
struct Table {
    language: Language,
    name: &'static str,
    /// What begins a construct at a line's beginning, most important first: each stands after a `\n`.
    lines: &'static [&'static str],
    /// What may be cut at besides, most important first.
    rest: &'static [&'static str],
}

macro_rules! languages {
    ($($language:ident $name:literal: $lines:expr, $rest:expr;)*) => {
        /// A language whose separators [`RecursiveCharacterTextSplitter`](crate::RecursiveCharacterTextSplitter)
        /// knows, by the names that LangChain uses.
        ///
        /// ```
        /// use anear_documents::Language;
        ///
        /// let rust: Language = "rust".parse()?;
        /// assert_eq!(rust.separators()[0], "\nfn ");
        /// # Ok::<(), anear_documents::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Language {
            $(#[doc = concat!("`", $name, "`")] $language,)*
        }

        const TABLES: &[Table] = &[
            $(Table { language: Language::$language, name: $name, lines: $lines, rest: $rest },)*
        ];
    };
}

const C_FAMILY: &[&str] = &[
    "class ", "void ", "int ", "float ", "double ", "if ", "for ", "while ", "switch ", "case ",
];

languages! {
    C "c": C_FAMILY, COMMON;
    Cpp "cpp": C_FAMILY, COMMON;
    Go "go": &["func ", "var ", "const ", "type ", "if ", "for ", "switch ", "case "], COMMON;
    Java "java": &[
        "class ", "public ", "protected ", "private ", "static ", "if ", "for ", "while ", "switch ", "case ",
    ], COMMON;
    Kotlin "kotlin": &[
        "class ", "public ", "protected ", "private ", "internal ", "companion ", "fun ", "val ", "var ", "if ", "for ",
        "while ", "when ", "else ",
    ], COMMON;
    Js "js": &[
        "function ", "const ", "let ", "var ", "class ", "if ", "for ", "while ", "switch ", "case ", "default ",
    ], COMMON;
    Ts "ts": &[
        "enum ", "interface ", "namespace ", "type ", "class ", "function ", "const ", "let ", "var ", "if ", "for ",
        "while ", "switch ", "case ", "default ",
    ], COMMON;
    Php "php": &["function ", "class ", "if ", "foreach ", "while ", "do ", "switch ", "case "], COMMON;
    Proto "proto": &["message ", "service ", "enum ", "option ", "import ", "syntax "], COMMON;
    Python "python": &["class ", "def ", "\tdef "], COMMON;
    R "r": &[
        "function ", "setClass\\(", "setMethod\\(", "setGeneric\\(", "if ", "else ", "for ", "while ", "repeat ",
        "library\\(", "require\\(",
    ], COMMON;
    Rst "rst": &["=+\n", "-+\n", "\\*+\n", "\n.. *\n\n"], COMMON;
    Ruby "ruby": &["def ", "class ", "if ", "unless ", "while ", "for ", "do ", "begin ", "rescue "], COMMON;
    Rust "rust": &["fn ", "const ", "let ", "if ", "while ", "for ", "loop ", "match "], COMMON;
    Scala "scala": &[
        "class ", "object ", "def ", "val ", "var ", "if ", "for ", "while ", "match ", "case ",
    ], COMMON;
    Swift "swift": &[
        "func ", "class ", "struct ", "enum ", "if ", "for ", "while ", "do ", "switch ", "case ",
    ], COMMON;
    Markdown "markdown": &["#{1,6} "], &["```\n", "\n\\*\\*\\*+\n", "\n---+\n", "\n___+\n", "\n\n", "\n", " ", ""];
    Latex "latex": &[
        "\\\\chapter{", "\\\\section{", "\\\\subsection{", "\\\\subsubsection{", "\\\\begin{enumerate}",
        "\\\\begin{itemize}", "\\\\begin{description}", "\\\\begin{list}", "\\\\begin{quote}",
        "\\\\begin{quotation}", "\\\\begin{verse}", "\\\\begin{verbatim}", "\\\\begin{align}",
    ], &["$$", "$", " ", ""];
    Html "html": &[], &[
        "<body", "<div", "<p", "<br", "<li", "<h1", "<h2", "<h3", "<h4", "<h5", "<h6", "<span", "<table", "<tr", "<td",
        "<th", "<ul", "<ol", "<header", "<footer", "<nav", "<head", "<style", "<script", "<meta", "<title", "",
    ];
    Sol "sol": &[
        "pragma ", "using ", "contract ", "interface ", "library ", "constructor ", "type ", "function ", "event ",
        "modifier ", "error ", "struct ", "enum ", "if ", "for ", "while ", "do while ", "assembly ",
    ], COMMON;
    CSharp "csharp": &[
        "interface ", "enum ", "delegate ", "event ", "class ", "abstract ", "public ", "protected ", "private ",
        "static ", "return ", "if ", "continue ", "for ", "foreach ", "while ", "switch ", "break ", "case ", "else ",
        "try ", "throw ", "finally ", "catch ",
    ], COMMON;
    Cobol "cobol": &[
        "IDENTIFICATION DIVISION.", "ENVIRONMENT DIVISION.", "DATA DIVISION.", "PROCEDURE DIVISION.",
        "WORKING-STORAGE SECTION.", "LINKAGE SECTION.", "FILE SECTION.", "INPUT-OUTPUT SECTION.", "OPEN ", "CLOSE ",
        "READ ", "WRITE ", "IF ", "ELSE ", "MOVE ", "PERFORM ", "UNTIL ", "VARYING ", "ACCEPT ", "DISPLAY ",
        "STOP RUN.",
    ], &["\n", " ", ""];
    Lua "lua": &["local ", "function ", "if ", "for ", "while ", "repeat "], COMMON;
    Haskell "haskell": &[
        "main :: ", "main = ", "let ", "in ", "do ", "where ", ":: ", "= ", "data ", "newtype ", "type ", "module ",
        "import ", "qualified ", "import qualified ", "class ", "instance ", "case ", "| ", "= {", ", ",
    ], COMMON;
    Elixir "elixir": &[
        "def ", "defp ", "defmodule ", "defprotocol ", "defmacro ", "defmacrop ", "if ", "unless ", "case ", "cond ",
        "with ", "for ", "do ",
    ], COMMON;
    PowerShell "powershell": &[
        "function ", "param ", "if ", "foreach ", "for ", "while ", "switch ", "class ", "try ", "catch ", "finally ",
    ], COMMON;
    VisualBasic6 "visualbasic6": &[], &[
        r"\n(?!End\s)(?:Public|Private|Friend|Global|Static)\s+?Sub\s+",
        r"\n(?!End\s)(?:Public|Private|Friend|Global|Static)\s+?Function\s+",
        r"\n(?!End\s)(?:Public|Private|Friend|Global|Static)\s+?Property\s+(?:Get|Let|Set)\s+",
        r"\n(?!End\s)(?:Public|Private|Friend|Global|Static)\s+?Type\s+",
        r"\n(?!End\s)(?:Public|Private|Friend|Global|Static)\s+?Enum\s+",
        r"\n(?!End\s)If\s+", r"\nElseIf\s+", r"\nElse\s+", r"\nSelect\s+Case\s+", r"\nCase\s+", r"\nFor\s+",
        r"\nDo\s+", r"\nWhile\s+", r"\nWith\s+", r"\n\n", r"\n", " ", "",
    ];
}

impl Language {
    /// All languages.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLES.iter().map(|table| table.language)
    }

    /// The name, for instance `python`.
    pub fn name(self) -> &'static str {
        self.table().name
    }

    /// The separators, coarse ones first, as regular expressions in Python's syntax.
    pub fn separators(self) -> Vec<String> {
        let Table { lines, rest, .. } = self.table();
        let lines = lines.iter().map(|line| format!("\n{line}"));
        lines.chain(rest.iter().map(|&text| text.to_owned())).collect()
    }

    fn table(self) -> &'static Table {
        // The table has one row for each variant, in their order: one macro writes both.
        &TABLES[self as usize]
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Language {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::all()
            .find(|language| language.name() == name)
            .ok_or_else(|| Error::UnknownLanguage {
                name: name.into(),
                known: Self::all().map(Self::name).collect::<Vec<_>>().join(", "),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_name_only() {
        for language in Language::all() {
            assert_eq!(language.to_string().parse::<Language>().unwrap(), language);
        }
        let error = "perl".parse::<Language>().unwrap_err().to_string();
        assert!(
            error.contains("unknown language `perl`") && error.contains("python"),
            "{error}"
        );
    }
}
