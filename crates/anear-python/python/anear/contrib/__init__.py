"""What Faiss has in `faiss.contrib`: measuring answers, exhaustive searches, data sets, files of vectors."""
