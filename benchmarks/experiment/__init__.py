"""The experiment of ImMimic: data, cells, retrieval, pictures (`bench tasks`)."""
