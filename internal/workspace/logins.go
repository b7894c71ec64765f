package workspace

import "context"

// Login finds what a protocol needs to check a login; never an error for an
// unknown user or database (see Login.Known). It reads memory only.
func (s *Service) Login(_ context.Context, t DatabaseType, user, database string) (Login, error) {
	project, h := s.directory.route(t, user, database)
	if project == nil {
		return s.decoy.login(user, nil), nil
	}
	if h == nil {
		return s.decoy.login(user, project.scram.Salt), nil
	}
	return Login{
		Known:    true,
		Password: project.password,
		SCRAM:    project.scram,
		Route: Route{
			Live:     h.live,
			Address:  h.server.engine.Address(),
			Database: h.target.Database,
			Role:     h.target.Role,
			Password: h.target.Password,
		},
	}, nil
}
