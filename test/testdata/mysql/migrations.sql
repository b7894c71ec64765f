-- The history of an application, in the ways that frameworks and people write it.

-- Rails
CREATE TABLE `schema_migrations` (`version` varchar(255) NOT NULL PRIMARY KEY);
CREATE TABLE `users` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `email` varchar(255) DEFAULT '' NOT NULL, `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL);
CREATE UNIQUE INDEX `index_users_on_email` ON `users` (`email`);
CREATE TABLE `posts` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `user_id` bigint NOT NULL, `title` varchar(255), `body` text, INDEX `index_posts_on_user_id` (`user_id`), CONSTRAINT `fk_rails_5b5ddfd518` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`));
ALTER TABLE `posts` ADD `published` tinyint(1) DEFAULT FALSE NOT NULL;
ALTER TABLE `posts` CHANGE `title` `headline` varchar(255) DEFAULT NULL;
ALTER TABLE `posts` ADD INDEX `index_posts_on_published` (`published`), ALGORITHM = INPLACE;
ALTER TABLE `posts` RENAME INDEX `index_posts_on_published` TO `by_published`;
DROP INDEX `by_published` ON `posts`;

-- Django
CREATE TABLE `auth_group` (`id` integer AUTO_INCREMENT NOT NULL PRIMARY KEY, `name` varchar(150) NOT NULL UNIQUE);
CREATE TABLE `auth_permission` (`id` integer AUTO_INCREMENT NOT NULL PRIMARY KEY, `group_id` integer NOT NULL, `codename` varchar(100) NOT NULL);
ALTER TABLE `auth_permission` ADD CONSTRAINT `auth_permission_group_id_01ab_uniq` UNIQUE (`group_id`, `codename`);
ALTER TABLE `auth_permission` ADD CONSTRAINT `auth_permission_group_id_2f_fk` FOREIGN KEY (`group_id`) REFERENCES `auth_group` (`id`);
ALTER TABLE `auth_permission` ADD COLUMN `name` varchar(255) DEFAULT '' NOT NULL;
ALTER TABLE `auth_permission` ALTER COLUMN `name` DROP DEFAULT;
ALTER TABLE `auth_permission` MODIFY `name` varchar(300) NOT NULL;
ALTER TABLE `auth_group` ADD CONSTRAINT `name_not_empty` CHECK (`name` <> '');
ALTER TABLE `auth_group` DROP CONSTRAINT `name_not_empty`;

-- Laravel
create table `jobs` (`id` bigint unsigned not null auto_increment primary key, `queue` varchar(255) not null, `payload` longtext not null, `attempts` tinyint unsigned not null, `reserved_at` int unsigned null) default character set utf8mb4 collate 'utf8mb4_unicode_ci';
alter table `jobs` add index `jobs_queue_index`(`queue`);
alter table `jobs` add `available_at` int unsigned not null, add `created_at` int unsigned not null after `id`;
alter table `jobs` drop `reserved_at`;
rename table `jobs` to `work`;
alter table `work` rename to `jobs`;

-- A person
create table if not exists jobs (id int);
drop table if exists nothing_of_the_kind;
CREATE TABLE orders(id int primary key,total decimal(10,2),who bigint,note varchar(50))/* behind */;
ALTER TABLE orders
    -- why: reports
    ADD COLUMN placed timestamp NULL,   # when
    ADD COLUMN (region char(2), channel enum('web','shop;2')),
    ADD KEY region (region), ADD UNIQUE KEY (placed),
    ADD CONSTRAINT orders_users FOREIGN KEY (who) REFERENCES users(id) ON DELETE SET NULL,
    COMMENT = 'it''s; commented';
alter table orders add foreign key (who) references users (id), add index (note), add index (note(5)), add check (total > 0);
alter table orders drop foreign key orders_users;
alter table orders alter column note set default 'n/a', drop column region, rename column channel to way;
alter table orders engine = InnoDB, row_format = compressed key_block_size = 8;
alter table orders convert to character set utf8mb3 collate utf8mb3_bin;
alter table orders modify note varchar(60) character set latin1 first;
alter table orders drop primary key, add primary key (id, way);
RENAME TABLE orders TO orders_old, posts TO articles;
CREATE TABLE orders LIKE orders_old;
CREATE TABLE spread (id INT PRIMARY KEY);
ALTER TABLE spread PARTITION BY HASH (id) PARTITIONS 3;
ALTER TABLE spread ADD PARTITION PARTITIONS 1;
ALTER TABLE spread ADD COLUMN n INT, ADD INDEX (n) REMOVE PARTITIONING;
CREATE TABLE a1 (i INT); CREATE TABLE a2 (i INT); CREATE TABLE a3 (i INT);
RENAME TABLE a1 TO swap, a2 TO a1, swap TO a2;
DROP TABLE a2, a3;
DROP TABLE IF EXISTS a3, a1;
CREATE TABLE totals AS SELECT id, COUNT(*) AS n, MAX(total) AS most FROM orders_old GROUP BY id;
CREATE TABLE totals_2 (id INT PRIMARY KEY, extra VARCHAR(5) DEFAULT 'x') ENGINE=InnoDB SELECT id, total FROM orders_old;
CREATE TEMPORARY TABLE scratch (i INT);
CREATE TABLE from_scratch LIKE scratch;
ALTER TABLE scratch ADD COLUMN j INT;
DROP TEMPORARY TABLE scratch;
TRUNCATE TABLE totals;

-- Sessions that mean something else by the same words.
SET @saved = @@sql_mode;
SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT';
CREATE TABLE "ansi" ("id" int, "both" varchar(20) AS ('a' || 'b') VIRTUAL);
CREATE VIEW "ansi view" AS SELECT "id" || 'x' AS "joined" FROM "ansi";
SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES';
CREATE TABLE backslash (path varchar(20) DEFAULT 'c:\' COMMENT 'a\');
SET SESSION sql_mode = 'NO_ZERO_DATE';
CREATE PROCEDURE in_mode() SELECT 1 / 0;
SET SESSION sql_mode = @saved;
SET NAMES latin1;
CREATE TABLE latin (c varchar(10) DEFAULT 'x' COMMENT 'plain');
SET NAMES utf8mb4;
SET foreign_key_checks = 0;
CREATE TABLE child (id INT, FOREIGN KEY (id) REFERENCES parent (id));
CREATE TABLE parent (id INT PRIMARY KEY);
SET foreign_key_checks = 1;

-- Words that are found out when they run.
SET @ddl = 'CREATE TABLE dynamic (id INT /* by PREPARE */)';
PREPARE s FROM @ddl;
EXECUTE s;
DEALLOCATE PREPARE s;
DELIMITER $$
CREATE PROCEDURE make_tables(IN n INT)
BEGIN
  DECLARE i INT DEFAULT 0;
  WHILE i < n DO
    SET @ddl = CONCAT('CREATE TABLE made_', i, ' (id INT)');
    PREPARE s FROM @ddl;
    EXECUTE s;
    SET i = i + 1;
  END WHILE;
  CREATE TABLE made_last (id INT);
  CREATE INDEX made_index ON made_last (id);
END$$
DELIMITER ;
CALL make_tables(2);
DROP PROCEDURE make_tables;

-- Definitions that come and go.
CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;
ALTER FUNCTION twice COMMENT 'doubles' SQL SECURITY INVOKER;
CREATE TRIGGER gone BEFORE INSERT ON orders FOR EACH ROW SET NEW.total = 1;
DROP TRIGGER gone;
DROP TRIGGER IF EXISTS gone;
CREATE EVENT tick ON SCHEDULE EVERY 1 HOUR STARTS '2035-01-01 00:00:00' DISABLE DO SET @x = 1;
ALTER EVENT tick ON SCHEDULE EVERY 2 HOUR STARTS '2035-01-01 00:00:00' RENAME TO tock COMMENT 'slower';
CREATE VIEW v AS SELECT id FROM orders;
CREATE OR REPLACE VIEW v AS SELECT id, total FROM orders;
CREATE VIEW w AS SELECT id FROM v;
DROP VIEW IF EXISTS w, nothing_of_the_kind;
ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE after_all (name VARCHAR(20));
