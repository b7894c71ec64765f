package postgres

// maxResultBytes bounds what one query through the API may hold in memory.
const maxResultBytes = 64 << 20
