package postgres

const functionsSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.proname || '(' || pg_get_function_identity_arguments(o.oid) || ')', ARRAY[rtrim(pg_get_functiondef(o.oid), E'\n')]
	FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace
	WHERE o.prokind <> 'a' AND ` + userSchema + ` AND ` + notExtensions + `
		AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = o.tableoid AND i.objid = o.oid AND i.deptype = 'i')`

const aggregatesSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.proname || '(' || pg_get_function_identity_arguments(o.oid) || ')', ARRAY[
		'CREATE AGGREGATE ' || quote_ident(n.nspname) || '.' || quote_ident(o.proname) || '(' || CASE WHEN o.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(o.oid) END || ') (SFUNC = ' || g.aggtransfn::regproc
		|| ', STYPE = ' || format_type(g.aggtranstype, NULL)
		|| CASE WHEN g.aggtransspace <> 0 THEN ', SSPACE = ' || g.aggtransspace ELSE '' END
		|| CASE WHEN g.aggfinalfn <> 0 THEN ', FINALFUNC = ' || g.aggfinalfn::regproc ELSE '' END
		|| CASE WHEN g.aggfinalextra THEN ', FINALFUNC_EXTRA' ELSE '' END
		|| CASE WHEN g.aggfinalfn <> 0 AND g.aggfinalmodify <> CASE WHEN g.aggkind = 'n' THEN 'r'::"char" ELSE 'w' END
			THEN ', FINALFUNC_MODIFY = ' || CASE g.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
		|| CASE WHEN g.aggcombinefn <> 0 THEN ', COMBINEFUNC = ' || g.aggcombinefn::regproc ELSE '' END
		|| CASE WHEN g.aggserialfn <> 0 THEN ', SERIALFUNC = ' || g.aggserialfn::regproc || ', DESERIALFUNC = ' || g.aggdeserialfn::regproc ELSE '' END
		|| coalesce(', INITCOND = ' || quote_literal(g.agginitval), '')
		|| CASE WHEN g.aggmtransfn <> 0 THEN ', MSFUNC = ' || g.aggmtransfn::regproc || ', MINVFUNC = ' || g.aggminvtransfn::regproc || ', MSTYPE = ' || format_type(g.aggmtranstype, NULL)
			|| CASE WHEN g.aggmtransspace <> 0 THEN ', MSSPACE = ' || g.aggmtransspace ELSE '' END
			|| CASE WHEN g.aggmfinalfn <> 0 THEN ', MFINALFUNC = ' || g.aggmfinalfn::regproc ELSE '' END
			|| CASE WHEN g.aggmfinalextra THEN ', MFINALFUNC_EXTRA' ELSE '' END
			|| CASE WHEN g.aggmfinalfn <> 0 AND g.aggmfinalmodify <> CASE WHEN g.aggkind = 'n' THEN 'r'::"char" ELSE 'w' END
				THEN ', MFINALFUNC_MODIFY = ' || CASE g.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
			|| coalesce(', MINITCOND = ' || quote_literal(g.aggminitval), '') ELSE '' END
		|| coalesce((SELECT ', SORTOP = OPERATOR(' || quote_ident(sn.nspname) || '.' || s.oprname || ')' FROM pg_operator s JOIN pg_namespace sn ON sn.oid = s.oprnamespace WHERE s.oid = g.aggsortop), '')
		|| CASE WHEN g.aggkind = 'h' THEN ', HYPOTHETICAL' ELSE '' END
		|| CASE o.proparallel WHEN 's' THEN ', PARALLEL = SAFE' WHEN 'r' THEN ', PARALLEL = RESTRICTED' ELSE '' END || ')']
	FROM pg_proc o JOIN pg_aggregate g ON g.aggfnoid = o.oid JOIN pg_namespace n ON n.oid = o.pronamespace
	WHERE ` + userSchema + ` AND ` + notExtensions

const operatorsSQL = `
	SELECT ` + selfColumns + `n.nspname || '.' || o.oprname, ARRAY[
		'CREATE OPERATOR ' || quote_ident(n.nspname) || '.' || o.oprname || ' (FUNCTION = ' || o.oprcode::regproc
		|| CASE WHEN o.oprleft <> 0 THEN ', LEFTARG = ' || format_type(o.oprleft, NULL) ELSE '' END || ', RIGHTARG = ' || format_type(o.oprright, NULL)
		|| coalesce((SELECT ', COMMUTATOR = OPERATOR(' || quote_ident(sn.nspname) || '.' || s.oprname || ')' FROM pg_operator s JOIN pg_namespace sn ON sn.oid = s.oprnamespace WHERE s.oid = o.oprcom), '')
		|| coalesce((SELECT ', NEGATOR = OPERATOR(' || quote_ident(sn.nspname) || '.' || s.oprname || ')' FROM pg_operator s JOIN pg_namespace sn ON sn.oid = s.oprnamespace WHERE s.oid = o.oprnegate), '')
		|| CASE WHEN o.oprrest <> 0 THEN ', RESTRICT = ' || o.oprrest::regproc ELSE '' END || CASE WHEN o.oprjoin <> 0 THEN ', JOIN = ' || o.oprjoin::regproc ELSE '' END
		|| CASE WHEN o.oprcanhash THEN ', HASHES' ELSE '' END || CASE WHEN o.oprcanmerge THEN ', MERGES' ELSE '' END || ')']
	FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
	WHERE o.oprcode <> 0 AND ` + userSchema + ` AND ` + notExtensions

const castsSQL = `
	SELECT ` + selfColumns + `format_type(o.castsource, NULL) || ' ' || format_type(o.casttarget, NULL), ARRAY[
		'CREATE CAST (' || format_type(o.castsource, NULL) || ' AS ' || format_type(o.casttarget, NULL) || ') '
		|| CASE o.castmethod WHEN 'i' THEN 'WITH INOUT' WHEN 'b' THEN 'WITHOUT FUNCTION' ELSE 'WITH FUNCTION ' || o.castfunc::regprocedure END
		|| CASE o.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END]
	FROM pg_cast o WHERE o.oid >= 16384 AND ` + notExtensions + `
		AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = o.tableoid AND i.objid = o.oid AND i.deptype = 'i')`

// aliasesSQL lists parts and what makes them: (part, whole).
const aliasesSQL = `
	SELECT 'pg_type'::regclass::oid::int8, t.oid::int8, 'pg_class'::regclass::oid::int8, t.typrelid::int8 FROM pg_type t WHERE t.typrelid >= 16384
	UNION ALL
	SELECT 'pg_class'::regclass::oid::int8, t.typrelid::int8, 'pg_type'::regclass::oid::int8, t.oid::int8 FROM pg_type t WHERE t.typrelid >= 16384
	UNION ALL
	SELECT 'pg_type'::regclass::oid::int8, (to_jsonb(r)->>'rngmultitypid')::int8, 'pg_type'::regclass::oid::int8, r.rngtypid::int8 FROM pg_range r WHERE r.rngtypid >= 16384
	UNION ALL
	SELECT 'pg_type'::regclass::oid::int8, t.typarray::int8, 'pg_class'::regclass::oid::int8, t.typrelid::int8 FROM pg_type t WHERE t.typarray >= 16384 AND t.typrelid <> 0
	UNION ALL
	SELECT 'pg_type'::regclass::oid::int8, t.typarray::int8, 'pg_type'::regclass::oid::int8, t.oid::int8 FROM pg_type t WHERE t.typarray >= 16384
	UNION ALL
	SELECT 'pg_class'::regclass::oid::int8, k.conindid::int8, 'pg_constraint'::regclass::oid::int8, k.oid::int8 FROM pg_constraint k WHERE k.contype IN ('p', 'u', 'x') AND k.oid >= 16384
	UNION ALL
	SELECT 'pg_constraint'::regclass::oid::int8, k.oid::int8, 'pg_type'::regclass::oid::int8, k.contypid::int8 FROM pg_constraint k WHERE k.contypid >= 16384
	UNION ALL
	SELECT 'pg_rewrite'::regclass::oid::int8, w.oid::int8, 'pg_class'::regclass::oid::int8, w.ev_class::int8 FROM pg_rewrite w WHERE w.rulename = '_RETURN' AND w.oid >= 16384
	UNION ALL
	SELECT e.classid::int8, e.objid::int8, e.refclassid::int8, e.refobjid::int8 FROM pg_depend e WHERE e.deptype = 'e'`
