//! How a vector becomes bytes and how those bytes are compared with a query.
