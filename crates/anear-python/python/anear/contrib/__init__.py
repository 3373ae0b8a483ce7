"""What Faiss keeps in `faiss.contrib`."""
