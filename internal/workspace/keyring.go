package workspace

// Keyring seals secrets under the installation's master key.
type Keyring struct{}

// LoadKeyring takes the master keys from value (the environment's
// TENANTSDB_MASTER_KEY) or, where that is empty, from the file at path, which
// it makes with a new key, mode 0600, where it does not exist.
func LoadKeyring(value, path string) (*Keyring, error) { panic("stub") }
