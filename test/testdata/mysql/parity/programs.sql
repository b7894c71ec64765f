-- Stored programs, their results, parameters, handlers and cursors.
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20), n INT);
INSERT INTO t (v, n) VALUES ('a', 1), ('b', 2), ('c', 3);
DELIMITER //
CREATE PROCEDURE several(IN a INT, OUT b INT, INOUT c INT)
BEGIN
	SELECT id, v FROM t WHERE n >= a;
	SELECT 'empty' FROM t WHERE 1 = 0;
	UPDATE t SET n = n + 1;
	SET b = a * 2, c = c + 1;
	SELECT b, c;
END//
CREATE PROCEDURE walk()
BEGIN
	DECLARE done INT DEFAULT FALSE;
	DECLARE word VARCHAR(20);
	DECLARE words TEXT DEFAULT '';
	DECLARE c CURSOR FOR SELECT v FROM t ORDER BY id;
	DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = TRUE;
	OPEN c;
	each_row: LOOP
		FETCH c INTO word;
		IF done THEN
			LEAVE each_row;
		END IF;
		SET words = CONCAT(words, word, ';');
	END LOOP;
	CLOSE c;
	SELECT words;
END//
CREATE PROCEDURE fails(IN how INT)
BEGIN
	SELECT 'before';
	IF how = 1 THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'as asked';
	ELSEIF how = 2 THEN
		SELECT nothing FROM nowhere;
	END IF;
	SELECT 'after';
END//
CREATE FUNCTION factorial(n INT) RETURNS BIGINT DETERMINISTIC
BEGIN
	DECLARE product BIGINT DEFAULT 1;
	WHILE n > 1 DO
		SET product = product * n, n = n - 1;
	END WHILE;
	RETURN product;
END//
CREATE TRIGGER upper_case BEFORE INSERT ON t FOR EACH ROW
BEGIN
	SET NEW.v = UPPER(NEW.v);
	IF NEW.n < 0 THEN
		SIGNAL SQLSTATE '22003' SET MESSAGE_TEXT = 'n is negative';
	END IF;
END//
DELIMITER ;
SET @c = 41;
CALL several(2, @b, @c);
SELECT @b, @c;
CALL walk();
CALL fails(0);
CALL fails(1);
CALL fails(2);
CALL several(1);
SELECT factorial(0), factorial(20), factorial(NULL);
INSERT INTO t (v, n) VALUES ('shout', 9);
INSERT INTO t (v, n) VALUES ('never', -9);
SELECT v, n FROM t ORDER BY id;
SELECT LAST_INSERT_ID();
SET @rows = 0;
UPDATE t SET n = (@rows := @rows + 1);
SELECT ROW_COUNT(), @rows;
DROP PROCEDURE IF EXISTS nothing;
DROP PROCEDURE walk;
CALL walk();
