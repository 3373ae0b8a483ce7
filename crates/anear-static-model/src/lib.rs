//! The token table of anear's built-in embedding model, distilled from all-MiniLM-L6-v2.
