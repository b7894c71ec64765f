package workspace

import "slices"

// Databases are the databases of that type that the user of a login may name,
// in order. It reads memory only.
func (s *Service) Databases(t DatabaseType, user string) []string {
	var names []string
	_, all := s.directory.routesOf(t, user)
	for _, h := range all {
		names = append(names, h.target.Database)
	}
	slices.Sort(names)
	return names
}
