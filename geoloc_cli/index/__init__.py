"""The store on disk, and exact and FAISS search in it inside a belief."""
