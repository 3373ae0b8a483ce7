//! Reads Python pickles as data, never as code, and writes the ones LangChain opens.
