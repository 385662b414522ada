"""The experiment of the seed document: data, cells, retrieval, pictures (`bench tasks`)."""
