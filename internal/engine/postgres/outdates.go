package postgres

import "regexp"

// setsDefaults finds the words of statements that set what new sessions start with,
// wherever they are: also within a DO block.
var setsDefaults = regexp.MustCompile(`(?is)\balter\b.*\b(?:role|user|database)\b`)

// Outdates says whether text may be ALTER ROLE or ALTER DATABASE … SET, which
// open connections don't hear of.
func (e *Engine) Outdates(text string) bool { return setsDefaults.MatchString(text) }
