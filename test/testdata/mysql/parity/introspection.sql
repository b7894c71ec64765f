-- What object mappers ask of the catalog, with a schema to find.
CREATE TABLE authors (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, name VARCHAR(100) NOT NULL DEFAULT 'none' COMMENT 'who', born DATE NULL, rating DECIMAL(3,1), kind ENUM('a','b') DEFAULT 'a', made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, total INT AS (id * 2) VIRTUAL, PRIMARY KEY (id), UNIQUE KEY by_name (name), CONSTRAINT rated CHECK (rating > 0)) COMMENT = 'people';
CREATE TABLE books (isbn CHAR(13) NOT NULL, author_id BIGINT UNSIGNED NOT NULL, title TEXT, PRIMARY KEY (isbn, author_id), KEY by_title (title(20)), CONSTRAINT of_author FOREIGN KEY (author_id) REFERENCES authors (id) ON DELETE CASCADE ON UPDATE RESTRICT);
CREATE VIEW titles AS SELECT title FROM books;
CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1;
-- Prisma
SELECT @@GLOBAL.version;
SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name = DATABASE();
SELECT DISTINCT BINARY table_info.table_name AS table_name, table_info.table_comment AS table_comment FROM information_schema.tables AS table_info JOIN information_schema.columns AS column_info ON BINARY column_info.table_name = BINARY table_info.table_name WHERE table_info.table_schema = DATABASE() AND column_info.table_schema = DATABASE() AND table_info.table_type = 'BASE TABLE' ORDER BY BINARY table_info.table_name;
SELECT column_name column_name, data_type data_type, column_type full_data_type, character_maximum_length character_maximum_length, numeric_precision numeric_precision, numeric_scale numeric_scale, datetime_precision datetime_precision, column_default column_default, is_nullable is_nullable, extra extra, table_name table_name, NULLIF(generation_expression, '') generation_expression, IF(column_comment = '', NULL, column_comment) AS column_comment FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position;
SELECT DISTINCT index_name AS index_name, non_unique AS non_unique, Binary column_name AS column_name, seq_in_index AS seq_in_index, Binary table_name AS table_name, sub_part AS partial, Binary collation AS column_order, CASE index_type WHEN 'FULLTEXT' THEN TRUE ELSE FALSE END AS is_fulltext FROM INFORMATION_SCHEMA.STATISTICS WHERE table_schema = DATABASE() ORDER BY BINARY table_name, BINARY index_name, seq_in_index;
SELECT kcu.constraint_name constraint_name, kcu.column_name column_name, kcu.referenced_table_name referenced_table_name, kcu.referenced_column_name referenced_column_name, kcu.ordinal_position ordinal_position, kcu.table_name table_name, rc.delete_rule delete_rule, rc.update_rule update_rule FROM information_schema.key_column_usage AS kcu INNER JOIN information_schema.referential_constraints AS rc ON BINARY kcu.constraint_name = BINARY rc.constraint_name WHERE BINARY kcu.table_schema = DATABASE() AND BINARY rc.constraint_schema = DATABASE() AND BINARY kcu.referenced_column_name IS NOT NULL ORDER BY BINARY kcu.table_schema, BINARY kcu.table_name, BINARY kcu.constraint_name, kcu.ordinal_position;
SELECT table_name AS view_name, is_updatable FROM information_schema.views WHERE table_schema = DATABASE();
-- Sequelize
SHOW INDEX FROM `authors`;
SHOW FULL COLUMNS FROM `authors`;
SELECT CONSTRAINT_NAME AS constraint_name, CONSTRAINT_NAME AS constraintName, CONSTRAINT_SCHEMA AS constraintSchema, TABLE_NAME AS tableName, COLUMN_NAME AS columnName, REFERENCED_TABLE_NAME AS referencedTableName, REFERENCED_COLUMN_NAME AS referencedColumnName FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE WHERE TABLE_NAME = 'books' AND CONSTRAINT_NAME <> 'PRIMARY' AND CONSTRAINT_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL;
SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA = DATABASE() ORDER BY 1;
-- TypeORM
SELECT VERSION() AS `version`;
SELECT DATABASE() AS `db_name`;
SELECT * FROM `INFORMATION_SCHEMA`.`COLUMNS` WHERE `TABLE_SCHEMA` = DATABASE() AND `TABLE_NAME` = 'typeorm_metadata';
SELECT `TABLE_SCHEMA`, `TABLE_NAME`, `TABLE_COMMENT` FROM `INFORMATION_SCHEMA`.`TABLES` WHERE `TABLE_SCHEMA` = DATABASE() AND `TABLE_NAME` = 'authors';
SELECT `s`.* FROM `INFORMATION_SCHEMA`.`KEY_COLUMN_USAGE` `s` WHERE `s`.`TABLE_SCHEMA` = DATABASE() AND `s`.`CONSTRAINT_NAME` = 'PRIMARY' ORDER BY TABLE_NAME, ORDINAL_POSITION;
SELECT `SCHEMA_NAME`, `DEFAULT_CHARACTER_SET_NAME` as `CHARSET`, `DEFAULT_COLLATION_NAME` AS `COLLATION` FROM `INFORMATION_SCHEMA`.`SCHEMATA` WHERE `SCHEMA_NAME` = DATABASE();
-- SQLAlchemy
SELECT @@sql_mode;
SELECT @@lower_case_table_names;
SHOW FULL TABLES FROM information_schema LIKE 'nothing';
SHOW CREATE TABLE `books`;
SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE();
-- Django
SELECT VERSION(), @@sql_mode, @@default_storage_engine, @@sql_auto_is_null, @@lower_case_table_names, CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL;
SELECT table_name, table_type, table_comment FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1;
SELECT kc.`constraint_name`, kc.`column_name`, kc.`referenced_table_name`, kc.`referenced_column_name`, c.`constraint_type` FROM information_schema.key_column_usage AS kc, information_schema.table_constraints AS c WHERE kc.table_schema = DATABASE() AND (kc.referenced_table_schema = DATABASE() OR kc.referenced_table_schema IS NULL) AND c.table_schema = kc.table_schema AND c.constraint_name = kc.constraint_name AND c.constraint_type != 'CHECK' AND kc.table_name = 'books' AND c.table_name = 'books' ORDER BY kc.`ordinal_position`, 1;
SELECT cc.constraint_name, cc.check_clause FROM information_schema.check_constraints AS cc, information_schema.table_constraints AS tc WHERE cc.constraint_schema = DATABASE() AND tc.table_schema = cc.constraint_schema AND cc.constraint_name = tc.constraint_name AND tc.constraint_type = 'CHECK' AND tc.table_name = 'authors';
-- Rails
SHOW VARIABLES LIKE 'collation_database';
SELECT fk.referenced_table_name AS 'to_table', fk.referenced_column_name AS 'primary_key', fk.column_name AS 'column', fk.constraint_name AS 'name', fk.ordinal_position AS 'position', rc.update_rule AS 'on_update', rc.delete_rule AS 'on_delete' FROM information_schema.referential_constraints rc JOIN information_schema.key_column_usage fk USING (constraint_schema, constraint_name) WHERE fk.referenced_column_name IS NOT NULL AND fk.table_schema = DATABASE() AND fk.table_name = 'books' AND rc.constraint_schema = DATABASE() AND rc.table_name = 'books';
SET @@SESSION.sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483;
SELECT @@max_allowed_packet;
-- Hibernate and Connector/J
SELECT @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, @@net_write_timeout AS net_write_timeout, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@wait_timeout AS wait_timeout;
SELECT ROUTINE_NAME, ROUTINE_TYPE, DTD_IDENTIFIER FROM INFORMATION_SCHEMA.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE();
SELECT SPECIFIC_NAME, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER FROM INFORMATION_SCHEMA.PARAMETERS WHERE SPECIFIC_SCHEMA = DATABASE() ORDER BY SPECIFIC_NAME, ORDINAL_POSITION;
SHOW TABLE STATUS LIKE 'nothing';
SHOW KEYS FROM `books`;
SHOW TRIGGERS;
SHOW EVENTS;
SHOW FUNCTION STATUS LIKE 'nothing';
SHOW CHARACTER SET LIKE 'utf8mb4';
SHOW ENGINE INNODB STATUS;
