-- A film rental company, as the samples that come with the servers have one.
SET NAMES utf8mb4;
SET @old_unique_checks = @@unique_checks, unique_checks = 0;
SET @old_foreign_key_checks = @@foreign_key_checks, foreign_key_checks = 0;
SET @old_sql_mode = @@sql_mode, sql_mode = 'TRADITIONAL';

CREATE TABLE actor (
  actor_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  first_name VARCHAR(45) NOT NULL,
  last_name VARCHAR(45) NOT NULL,
  last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (actor_id),
  KEY idx_actor_last_name (last_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The keys of these two point at each other.
CREATE TABLE store (
  store_id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  manager_staff_id TINYINT UNSIGNED NOT NULL,
  address_id SMALLINT UNSIGNED NOT NULL,
  last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (store_id),
  UNIQUE KEY idx_unique_manager (manager_staff_id),
  KEY idx_fk_address_id (address_id),
  CONSTRAINT fk_store_staff FOREIGN KEY (manager_staff_id) REFERENCES staff (staff_id) ON DELETE RESTRICT ON UPDATE CASCADE,
  CONSTRAINT fk_store_address FOREIGN KEY (address_id) REFERENCES address (address_id) ON DELETE RESTRICT ON UPDATE CASCADE
) ENGINE=InnoDB;

CREATE TABLE staff (
  staff_id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  first_name VARCHAR(45) NOT NULL,
  last_name VARCHAR(45) NOT NULL,
  address_id SMALLINT UNSIGNED NOT NULL,
  picture BLOB DEFAULT NULL,
  email VARCHAR(50) DEFAULT NULL,
  store_id TINYINT UNSIGNED NOT NULL,
  active BOOLEAN NOT NULL DEFAULT TRUE,
  username VARCHAR(16) NOT NULL,
  password VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL COMMENT 'hashed; never "plain"',
  last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (staff_id),
  KEY idx_fk_store_id (store_id),
  CONSTRAINT fk_staff_store FOREIGN KEY (store_id) REFERENCES store (store_id) ON DELETE RESTRICT ON UPDATE CASCADE,
  CONSTRAINT fk_staff_address FOREIGN KEY (address_id) REFERENCES address (address_id)
);

CREATE TABLE address (
  address_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  address VARCHAR(50) NOT NULL,
  address2 VARCHAR(50) DEFAULT NULL,
  district VARCHAR(20) NOT NULL,
  city_id SMALLINT UNSIGNED NOT NULL,
  postal_code VARCHAR(10) DEFAULT NULL,
  phone VARCHAR(20) NOT NULL,
  /*!50705 location GEOMETRY NOT NULL, */
  last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (address_id),
  KEY idx_fk_city_id (city_id),
  /*!50705 SPATIAL KEY idx_location (location), */
  CONSTRAINT fk_address_city FOREIGN KEY (city_id) REFERENCES city (city_id) ON DELETE RESTRICT ON UPDATE CASCADE
);

CREATE TABLE city (
  city_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  city VARCHAR(50) NOT NULL,
  country_id SMALLINT UNSIGNED NOT NULL,
  FOREIGN KEY (country_id) REFERENCES country (country_id)
);

CREATE TABLE country (
  country_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  country VARCHAR(50) NOT NULL,
  code CHAR(2) CHARACTER SET ascii DEFAULT NULL,
  PRIMARY KEY (country_id),
  UNIQUE (country)
) COMMENT = 'ISO 3166; with "quotes", ''apostrophes'' and \\backslashes\\';

CREATE TABLE language (
  language_id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name CHAR(20) NOT NULL,
  PRIMARY KEY (language_id)
) DEFAULT CHARSET=latin1 COLLATE latin1_german1_ci;

CREATE TABLE category (
  category_id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(25) NOT NULL,
  parent TINYINT UNSIGNED,
  PRIMARY KEY (category_id),
  CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES category (category_id) ON DELETE SET NULL
) AUTO_INCREMENT = 17;

CREATE TABLE film (
  film_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  title VARCHAR(128) NOT NULL,
  description TEXT DEFAULT NULL,
  release_year YEAR DEFAULT NULL,
  language_id TINYINT UNSIGNED NOT NULL,
  original_language_id TINYINT UNSIGNED DEFAULT NULL,
  rental_duration TINYINT UNSIGNED NOT NULL DEFAULT 3,
  rental_rate DECIMAL(4,2) NOT NULL DEFAULT 4.99,
  length SMALLINT UNSIGNED DEFAULT NULL,
  replacement_cost DECIMAL(5,2) NOT NULL DEFAULT 19.99,
  rating ENUM('G','PG','PG-13','R','NC-17') DEFAULT 'G',
  special_features SET('Trailers','Commentaries','Deleted Scenes','Behind; the Scenes') DEFAULT NULL,
  extra JSON,
  per_day DECIMAL(10,4) GENERATED ALWAYS AS (rental_rate / rental_duration) VIRTUAL,
  shout VARCHAR(128) AS (UPPER(title)) STORED,
  last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (film_id),
  KEY idx_title (title(20)),
  KEY idx_per_day (per_day),
  KEY idx_fk_language_id (language_id),
  KEY idx_fk_original_language_id (original_language_id),
  CONSTRAINT fk_film_language FOREIGN KEY (language_id) REFERENCES language (language_id) ON DELETE RESTRICT ON UPDATE CASCADE,
  CONSTRAINT fk_film_language_original FOREIGN KEY (original_language_id) REFERENCES language (language_id) ON DELETE RESTRICT ON UPDATE CASCADE,
  CONSTRAINT length_in_minutes CHECK (length > 0 AND length < 1000),
  CHECK (rental_rate >= 0)
);

CREATE TABLE film_actor (
  actor_id SMALLINT UNSIGNED NOT NULL,
  film_id SMALLINT UNSIGNED NOT NULL,
  PRIMARY KEY (actor_id, film_id),
  KEY idx_fk_film_id (film_id),
  CONSTRAINT fk_film_actor_actor FOREIGN KEY (actor_id) REFERENCES actor (actor_id) ON DELETE CASCADE,
  CONSTRAINT fk_film_actor_film FOREIGN KEY (film_id) REFERENCES film (film_id) ON DELETE CASCADE
);
CREATE TABLE film_category LIKE film_actor;
ALTER TABLE film_category CHANGE COLUMN actor_id category_id TINYINT UNSIGNED NOT NULL;
ALTER TABLE film_category
  ADD CONSTRAINT fk_film_category_film FOREIGN KEY (film_id) REFERENCES film (film_id),
  ADD CONSTRAINT fk_film_category_category FOREIGN KEY (category_id) REFERENCES category (category_id);

CREATE TABLE film_text (
  film_id SMALLINT NOT NULL,
  title VARCHAR(255) NOT NULL,
  description TEXT,
  PRIMARY KEY (film_id),
  FULLTEXT KEY idx_title_description (title, description)
) ENGINE=InnoDB;

CREATE TABLE inventory (
  inventory_id MEDIUMINT UNSIGNED NOT NULL AUTO_INCREMENT,
  film_id SMALLINT UNSIGNED NOT NULL,
  store_id TINYINT UNSIGNED NOT NULL,
  PRIMARY KEY (inventory_id),
  KEY idx_fk_film_id (film_id),
  KEY idx_store_id_film_id (store_id, film_id),
  CONSTRAINT fk_inventory_store FOREIGN KEY (store_id) REFERENCES store (store_id),
  CONSTRAINT fk_inventory_film FOREIGN KEY (film_id) REFERENCES film (film_id)
) ROW_FORMAT = DYNAMIC;

CREATE TABLE customer (
  customer_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  store_id TINYINT UNSIGNED NOT NULL,
  first_name VARCHAR(45) NOT NULL,
  last_name VARCHAR(45) NOT NULL COLLATE utf8mb4_unicode_ci,
  email VARCHAR(50) DEFAULT NULL,
  address_id SMALLINT UNSIGNED NOT NULL,
  active BOOLEAN NOT NULL DEFAULT TRUE,
  create_date DATETIME(6) NOT NULL,
  last_update TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (customer_id),
  KEY idx_last_name (last_name DESC, first_name),
  CONSTRAINT fk_customer_address FOREIGN KEY (address_id) REFERENCES address (address_id),
  CONSTRAINT fk_customer_store FOREIGN KEY (store_id) REFERENCES store (store_id)
) COMMENT='Table storing all customers. Holds foreign keys to the address table and the store table where this customer is registered.
Basic information about the customer like first and last name are stored in the table itself.';

CREATE TABLE rental (
  rental_id INT NOT NULL AUTO_INCREMENT,
  rental_date DATETIME NOT NULL,
  inventory_id MEDIUMINT UNSIGNED NOT NULL,
  customer_id SMALLINT UNSIGNED NOT NULL,
  return_date DATETIME DEFAULT NULL,
  staff_id TINYINT UNSIGNED NOT NULL,
  PRIMARY KEY (rental_id),
  UNIQUE KEY (rental_date, inventory_id, customer_id),
  CONSTRAINT fk_rental_staff FOREIGN KEY (staff_id) REFERENCES staff (staff_id) ON UPDATE CASCADE,
  CONSTRAINT fk_rental_inventory FOREIGN KEY (inventory_id) REFERENCES inventory (inventory_id) ON UPDATE CASCADE,
  CONSTRAINT fk_rental_customer FOREIGN KEY (customer_id) REFERENCES customer (customer_id) ON UPDATE CASCADE
);

CREATE TABLE payment (
  payment_id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_id SMALLINT UNSIGNED NOT NULL,
  amount DECIMAL(5,2) NOT NULL,
  payment_date DATETIME NOT NULL,
  PRIMARY KEY (payment_id, payment_date),
  KEY (customer_id)
)
PARTITION BY RANGE COLUMNS (payment_date) (
  PARTITION p2024 VALUES LESS THAN ('2025-01-01') COMMENT = 'old; kept',
  PARTITION p2025 VALUES LESS THAN ('2026-01-01'),
  PARTITION pmax VALUES LESS THAN (MAXVALUE)
);
ALTER TABLE payment REORGANIZE PARTITION pmax INTO (
  PARTITION p2026 VALUES LESS THAN ('2027-01-01'),
  PARTITION pmax VALUES LESS THAN (MAXVALUE)
);
CREATE TABLE visits (at DATETIME, store INT, PRIMARY KEY (store, at)) PARTITION BY LIST (store) SUBPARTITION BY HASH (YEAR(at)) SUBPARTITIONS 2 (
  PARTITION north VALUES IN (1, 3, 5), PARTITION south VALUES IN (2, 4));
ALTER TABLE visits ADD PARTITION (PARTITION east VALUES IN (6));
CREATE TABLE counters (name VARCHAR(20) PRIMARY KEY, n BIGINT) PARTITION BY KEY (name) PARTITIONS 4;
ALTER TABLE counters COALESCE PARTITION 1;

SET sql_mode = @old_sql_mode, foreign_key_checks = @old_foreign_key_checks, unique_checks = @old_unique_checks;

-- Other engines, and what only they do.
CREATE TABLE log_line (at DATETIME, line TEXT, FULLTEXT (line)) ENGINE=MyISAM MAX_ROWS=1000000 AVG_ROW_LENGTH=200 PACK_KEYS=1 CHECKSUM=1;
CREATE TABLE session_data (id CHAR(32) PRIMARY KEY, data VARBINARY(2000)) ENGINE=MEMORY;
CREATE TABLE shapes (id INT PRIMARY KEY, p POINT NOT NULL, g GEOMETRYCOLLECTION, SPATIAL INDEX (p));
CREATE TABLE every_type (
  a BIT(5) DEFAULT b'101', b TINYINT(1), c SMALLINT ZEROFILL, d MEDIUMINT, e INT DEFAULT -1, f BIGINT UNSIGNED, g DECIMAL(65,30), h FLOAT, i DOUBLE,
  j DATE DEFAULT '2020-02-29', k TIME(2) DEFAULT '-10:11:12.34', l DATETIME DEFAULT NOW() ON UPDATE NOW(), m YEAR, n CHAR(0), o BINARY(16), p TINYBLOB, q MEDIUMTEXT,
  r LONGTEXT CHARACTER SET utf16, s NATIONAL VARCHAR(10), t VARCHAR(10) BINARY, u ENUM('a''b', 'c;d', 'ü', '') NOT NULL DEFAULT 'ü', v SET('x', 'y') DEFAULT 'x,y',
  `w ``x`` "y"` INT COMMENT 'odd; name', `select` INT, z SERIAL
);

CREATE VIEW customer_list AS
SELECT cu.customer_id AS ID, CONCAT(cu.first_name, _utf8mb4' ', cu.last_name) AS name, a.address AS address, a.postal_code AS `zip code`,
  a.phone AS phone, city.city AS city, country.country AS country, IF(cu.active, _utf8mb4'active', _utf8mb4'') AS notes, cu.store_id AS SID
FROM customer AS cu JOIN address AS a ON cu.address_id = a.address_id JOIN city ON a.city_id = city.city_id JOIN country ON city.country_id = country.country_id;

CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW cheap (id, title) AS SELECT film_id, title FROM film WHERE rental_rate < 1 WITH CASCADED CHECK OPTION;
CREATE OR REPLACE ALGORITHM=TEMPTABLE VIEW sales AS SELECT store.store_id, SUM(p.amount) AS total FROM payment p, store GROUP BY store.store_id;
CREATE OR REPLACE VIEW sales AS SELECT 1 AS replaced, total FROM (SELECT SUM(amount) AS total FROM payment) x;
CREATE VIEW of_views AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT n.i, cheap.title FROM n LEFT JOIN cheap ON cheap.id = n.i;
ALTER VIEW cheap (id, title) AS SELECT film_id, title FROM film WHERE rental_rate < 2;

DELIMITER ;;
CREATE TRIGGER ins_film AFTER INSERT ON film FOR EACH ROW BEGIN
    INSERT INTO film_text (film_id, title, description)
        VALUES (new.film_id, new.title, new.description);
  END;;

CREATE TRIGGER upd_film AFTER UPDATE ON film FOR EACH ROW BEGIN
    IF (old.title != new.title) OR (old.description != new.description) OR (old.film_id != new.film_id)
    THEN
        UPDATE film_text
            SET title=new.title,
                description=new.description, -- with a comment; here
                film_id=new.film_id
        WHERE film_id=old.film_id;
    END IF;
  END;;

CREATE TRIGGER del_film AFTER DELETE ON film FOR EACH ROW DELETE FROM film_text WHERE film_id = old.film_id;;
DELIMITER ;

CREATE TRIGGER customer_create_date BEFORE INSERT ON customer FOR EACH ROW SET NEW.create_date = NOW();
CREATE TRIGGER customer_create_date_2 BEFORE INSERT ON customer FOR EACH ROW PRECEDES customer_create_date SET NEW.active = TRUE;
CREATE TRIGGER payment_date BEFORE INSERT ON payment FOR EACH ROW SET NEW.payment_date = NOW();

DELIMITER $$
CREATE FUNCTION get_customer_balance(p_customer_id INT, p_effective_date DATETIME) RETURNS DECIMAL(5,2)
    DETERMINISTIC
    READS SQL DATA
BEGIN
  #OK, WE NEED TO CALCULATE THE CURRENT BALANCE GIVEN A CUSTOMER_ID AND A DATE
  DECLARE v_rentfees DECIMAL(5,2); #FEES PAID TO RENT; INITIALLY
  DECLARE v_payments DECIMAL(5,2);
  SELECT IFNULL(SUM(film.rental_rate),0) INTO v_rentfees
    FROM film, inventory, rental
    WHERE film.film_id = inventory.film_id AND inventory.inventory_id = rental.inventory_id
      AND rental.rental_date <= p_effective_date AND rental.customer_id = p_customer_id;
  SELECT IFNULL(SUM(payment.amount),0) INTO v_payments FROM payment
    WHERE payment.payment_date <= p_effective_date AND payment.customer_id = p_customer_id;
  RETURN v_rentfees - v_payments;
END $$

CREATE FUNCTION inventory_in_stock(p_inventory_id INT) RETURNS BOOLEAN READS SQL DATA COMMENT 'TRUE; or FALSE' BEGIN
    DECLARE v_rentals INT;
    DECLARE v_out     INT;
    SELECT COUNT(*) INTO v_rentals FROM rental WHERE inventory_id = p_inventory_id;
    IF v_rentals = 0 THEN RETURN TRUE; END IF;
    CASE WHEN v_rentals > 5 THEN RETURN FALSE; ELSE BEGIN END; END CASE;
    SELECT COUNT(rental_id) INTO v_out FROM inventory LEFT JOIN rental USING(inventory_id)
      WHERE inventory.inventory_id = p_inventory_id AND rental.return_date IS NULL;
    RETURN IF(v_out > 0, FALSE, TRUE);
END $$

CREATE PROCEDURE rewards_report (
    IN min_monthly_purchases TINYINT UNSIGNED
    , IN min_dollar_amount_purchased DECIMAL(10,2)
    , OUT count_rewardees INT
)
LANGUAGE SQL
NOT DETERMINISTIC
READS SQL DATA
SQL SECURITY DEFINER
COMMENT 'Provides a customizable report on best customers'
proc: BEGIN
    DECLARE last_month_start DATE;
    DECLARE last_month_end DATE;
    DECLARE done INT DEFAULT 0;
    DECLARE c CURSOR FOR SELECT customer_id FROM payment;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

    /* Some sanity checks... */
    IF min_monthly_purchases = 0 THEN
        SELECT 'Minimum monthly purchases parameter must be > 0';
        LEAVE proc;
    END IF;
    SET last_month_start = DATE_SUB(CURRENT_DATE(), INTERVAL 1 MONTH);
    SET last_month_end = LAST_DAY(last_month_start);
    CREATE TEMPORARY TABLE tmpCustomer (customer_id SMALLINT UNSIGNED NOT NULL PRIMARY KEY);
    OPEN c;
    again: LOOP
      FETCH c INTO count_rewardees;
      IF done THEN LEAVE again; END IF;
    END LOOP again;
    CLOSE c;
    WHILE done < 3 DO SET done = done + 1; END WHILE;
    REPEAT SET done = done - 1; UNTIL done = 0 END REPEAT;
    DROP TEMPORARY TABLE tmpCustomer;
END $$
DELIMITER ;

CREATE PROCEDURE film_in_stock(IN p_film_id INT, IN p_store_id INT, OUT p_film_count INT) READS SQL DATA
  SELECT COUNT(*) INTO p_film_count FROM inventory WHERE film_id = p_film_id AND store_id = p_store_id;

CREATE EVENT purge_lines ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 03:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'nightly; rows of last year' DO DELETE FROM log_line WHERE at < NOW() - INTERVAL 1 YEAR;
DELIMITER //
CREATE EVENT once ON SCHEDULE AT '2036-12-31 23:59:59' DO BEGIN
  DELETE FROM session_data;
  INSERT INTO log_line VALUES (NOW(), 'cleaned; up');
END//
DELIMITER ;

-- Rows, which are no schema.
INSERT INTO country (country, code) VALUES ('Österreich', 'AT'), ('it''s; one', NULL);
INSERT INTO language (name) VALUES ('Français'), ('Español');
