package workspace

import "slices"

// Databases are the databases of that type that the user of a login may name,
// in order. It reads memory only.
func (s *Service) Databases(t DatabaseType, user string) []string {
	var names []string
	for _, h := range s.directory.routesOf(t, user) {
		names = append(names, h.target.Database)
	}
	slices.Sort(names)
	return names
}
