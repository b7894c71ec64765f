package mysql

// ServerVersion is the server's version in the words of its own greeting, such
// as "8.4.3" or "5.5.5-10.11.6-MariaDB"; empty before the first connection.
func (e *Engine) ServerVersion() string {
	f := e.known()
	if f == nil {
		return ""
	}
	return f.greeting
}
